// What a worker asks of the place where a job's data lie. It writes nothing there: results go back with the queue.

/** Objects that are read by ranges of bytes. Names are relative, with `/` between their parts. */
export interface ReadStore {
  /** How many bytes an object has; undefined where there is none of this name. */
  size(name: string): Promise<number | undefined>;
  /** The bytes from `start` up to, not including, `end`, all of them. */
  read(name: string, start: number, end: number): Promise<Uint8Array>;
}
