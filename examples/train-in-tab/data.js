// Three small data sets of preferences over made-up sentences, and a frozen model for them that is nothing but embeddings: what is
// left to learn is the head. All of it follows from a seed.

const words = {
  things: "house garden song dog cake boat street picture letter story".split(" "),
  kind: "lovely charming bright graceful warm splendid gentle clever".split(" "),
  unkind: "dull ugly clumsy boring cold dreadful rude silly".split(" "),
  plain: "old small long new red round quiet tall".split(" "),
  others: "what about my it is and so very . !".split(" "),
};

/** Ids are places in this list; 0 is padding. */
export const vocabulary = ["", ...Object.values(words).flat()];
const idOf = new Map(vocabulary.map((word, id) => [word, id]));
const idsOf = (text) => text.split(" ").map((word) => idOf.get(word));

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function randomFrom(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Of each data set: its title, and a sentence that is preferred or not. */
export const dataSets = {
  kind: {
    title: "kind words are preferred",
    say: (is, { pick, often }) => {
      const adjective = () => pick(often(0.25) ? words.plain : often(is ? 0.8 : 0.2) ? words.kind : words.unkind);
      return `it is ${adjective()} and ${adjective()} .`;
    },
  },
  short: {
    title: "short answers are preferred",
    say: (is, { pick }) => {
      const more = Array.from({ length: is ? 0 : 3 }, () => `and so very ${pick(words.plain)}`);
      return ["it is", pick(words.plain), ...more, "."].join(" ");
    },
  },
  calm: {
    title: "answers that do not shout are preferred",
    say: (is, { pick, often }) => `it is ${pick(words.plain)} ${often(is ? 0.1 : 0.9) ? "!" : "."}`,
  },
};

/** So many pairs of a data set as token lists. */
export function examplesOf(name, count, seed = 1) {
  const random = randomFrom(seed);
  const tools = {
    pick: (list) => list[Math.floor(random() * list.length)],
    often: (share) => random() < share,
  };
  const { say } = dataSets[name];
  return Array.from({ length: count }, () => ({
    prompt: idsOf(`what about my ${tools.pick(words.things)}`),
    chosen: idsOf(say(true, tools)),
    rejected: idsOf(say(false, tools)),
  }));
}

export const hiddenSize = 64;

/** The head to begin with, and the frozen model before it. */
export function makeModel(seed = 2) {
  const random = randomFrom(seed);
  const uniform = (scale) =>
    Float32Array.from({ length: vocabulary.length * hiddenSize }, () => scale * (2 * random() - 1));
  const embedding = uniform(1);
  return {
    head: { weight: uniform(0.3), vocab: vocabulary.length, hiddenSize },
    /** The state at a token: its embedding, and half of the state before it; the first component is always 1. */
    backbone({ rows, length, inputIds }) {
      const hidden = new Float32Array(rows * length * hiddenSize);
      for (let at = 0; at < rows * length; at++) {
        const isFirst = at % length === 0;
        for (let d = 0; d < hiddenSize; d++) {
          const before = isFirst ? 0 : hidden[(at - 1) * hiddenSize + d];
          hidden[at * hiddenSize + d] = d === 0 ? 1 : embedding[inputIds[at] * hiddenSize + d] + 0.5 * before;
        }
      }
      return hidden;
    },
  };
}
