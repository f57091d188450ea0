// The first loss of a backend that is made for it, here or where nothing has been loaded yet.

import type { PairsInputs } from "../inputs.ts";
import type { Opened } from "../types.ts";
import { runElsewhere } from "./elsewhere.ts";
import type { AnyBackend, Disposable } from "./library.ts";

/** A backend, by the expression that makes it of the package's main entry. */
export interface Maker {
  create(): Disposable | Promise<Disposable>;
  /** As `createWasm({ relaxed: true })`. */
  readonly text: string;
}

const call = (backend: AnyBackend, { pairs, lossType, beta }: PairsInputs) =>
  backend.pairLoss(pairs, { lossType, beta });

type First = Awaited<ReturnType<typeof call>>;

const read = ({
  loss,
  losses,
  gradChosen,
  gradRejected,
}: Pick<First, "loss" | "losses" | "gradChosen" | "gradRejected">) => ({
  loss,
  losses,
  gradChosen,
  gradRejected,
});

export function openCreate({ create }: Maker, inputs: PairsInputs): Opened {
  let [backend, first]: [Disposable | undefined, First | undefined] = [undefined, undefined];
  const close = () => backend?.dispose();
  return {
    prepare: () => void close(),
    async run() {
      backend = await create();
      first = await call(backend, inputs);
    },
    results() {
      if (!first) throw new Error("results: expected a run first");
      return read(first);
    },
    close,
  };
}

/** `index` is the address of the main entry. */
export function openImport({ text }: Maker, { pairs, lossType, beta }: PairsInputs, index: string): Opened {
  const arrays = Object.entries(pairs).map(([name, array]) => `${name}: Float32Array.of(${array.join()})`);
  const program = `
    const pairs = { ${arrays.join(", ")} };
    const start = performance.now();
    const { createWasm, createJs } = await import(${JSON.stringify(index)});
    const backend = await ${text};
    const { loss, losses, gradChosen, gradRejected } = backend.pairLoss(pairs, ${JSON.stringify({ lossType, beta })});
    const elapsed = performance.now() - start;
    send({ elapsed, loss, losses: [...losses], gradChosen: [...gradChosen], gradRejected: [...gradRejected] });`;
  type Sent = { elapsed: number; loss: number; losses: number[]; gradChosen: number[]; gradRejected: number[] };
  let last: Sent | undefined;
  return {
    async run() {
      last = (await runElsewhere(program)) as Sent;
      return last;
    },
    results() {
      if (!last) throw new Error("results: expected a run first");
      const { elapsed: _, ...results } = last;
      return results;
    },
  };
}
