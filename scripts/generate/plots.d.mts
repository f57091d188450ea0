/** docs/losses/<loss>.gen.svg of every loss in the table. */
export function lossPlots(): Record<string, string>;
