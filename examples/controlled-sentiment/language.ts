// A small language of film reviews: a grammar that writes them, and a lexicon that says how pleased a reviewer is.

const nouns = ["film", "plot", "acting", "music", "script", "ending", "cast", "story"];
const pleased = ["great", "brilliant", "moving", "funny", "charming", "clever", "superb", "lovely"];
const displeased = ["awful", "boring", "dull", "weak", "clumsy", "silly", "tedious", "bland"];
const neutral = ["long", "short", "modern", "quiet"];
const verbs = ["was", "seemed", "felt"];
const adverbs = ["very", "quite", "rather", "truly"];
const [liked, disliked] = [
  ["loved", "enjoyed"],
  ["hated", "disliked"],
];
const others = ["<s>", ".", "the", "and", "but", "i", "it"];

export const words = [others, nouns, pleased, displeased, neutral, verbs, adverbs, liked, disliked].flat();

const idOf = (word: string): number => words.indexOf(word);

/** Begins every review, and stands for what is before it. */
export const START = idOf("<s>");
export const END = idOf(".");

/** Tokens of a completion at most. */
export const LONGEST = 12;

/** Where a review begins that the model is to go on with: "the film". */
export const prompts = nouns.map((noun) => [START, idOf("the"), idOf(noun)]);

const sentiment = words.map(
  (word) => Number([...pleased, ...liked].includes(word)) - Number([...displeased, ...disliked].includes(word)),
);

/** How likely a reader is to call it positive, (0, 1): the logistic function of its pleased words less its displeased ones. */
export function rewardOf(completion: readonly number[]): number {
  return 1 / (1 + Math.exp(-completion.reduce((sum, id) => sum + (sentiment[id] ?? 0), 0)));
}

/** One review of the grammar, without its start. */
export function writeReview(random: () => number): number[] {
  const pick = (list: readonly string[]): string => list[Math.floor(random() * list.length)] ?? "";
  const chance = (p: number): boolean => random() < p;
  const adjective = (mood: number): string => pick(chance(0.15) ? neutral : mood > 0 ? pleased : displeased);
  const clause = (mood: number): string[] => {
    const adverb = chance(0.3) ? [pick(adverbs)] : [];
    return ["the", pick(nouns), pick(verbs), ...adverb, adjective(mood)];
  };
  const mood = chance(0.5) ? 1 : -1;
  const turns = [
    () => [],
    () => ["and", adjective(mood)],
    () => ["and", ...clause(mood)],
    () => ["but", ...clause(-mood)],
    () => ["and", "i", pick(mood > 0 ? liked : disliked), "it"],
  ];
  const turn = turns[Math.floor(random() * turns.length)];
  return [...clause(mood), ...(turn?.() ?? []), "."].map(idOf);
}
