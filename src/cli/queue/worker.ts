// A worker: takes shards from the queue, one at a time, until it is told to end.

import { refusal } from "../refusal.ts";
import { connect, type QueueJob } from "./connect.ts";
import { modelProcess, type Places } from "./model-process.ts";
import { problemOf } from "./problems.ts";
import { queueName } from "./task.ts";

/** A worker that is silent for so long has died, and its shard goes to another one. */
const lockDuration = 10_000;

/** Workers that may die with the same shard before it is set aside. */
const deaths = 3;

/** Resolves when the worker was told to end and has put away its shard. Throws    a refusal if it lacks what the job needs */
export async function work(url: string, places: Places): Promise<void> {
  const { bullmq, redis, name } = await connect(url, "--work");
  const models = modelProcess(places);
  let lack: string | undefined;
  let [shards, rows] = [0, 0];

  async function run(job: QueueJob, token?: string): Promise<unknown> {
    try {
      const result = await models.run(job.data);
      shards++;
      rows += job.data.pieces.reduce((sum, piece) => sum + piece.rows, 0);
      return result;
    } catch (error) {
      const { kind, message } = problemOf(error);
      if (kind === "poison") throw new bullmq.UnrecoverableError(message);
      if (kind === "fault") throw new Error(message);
      // Back to the queue for others; this worker takes no more.
      lack = message;
      void worker.close();
      await job.moveToDelayed(Date.now() + 500, token);
      throw new bullmq.DelayedError();
    }
  }

  const worker = new bullmq.Worker(queueName, run, {
    connection: redis,
    ...{ lockDuration, stalledInterval: lockDuration / 2, maxStalledCount: deaths },
    // Redis may be away for a while when a shard is done.
    runRetryDelay: 1000,
  });
  worker.on("error", (error) => {
    // What the connection has told already, and shards that another worker has by now: they come to the same.
    if (!/ECONN|Connection is closed|lock|Missing key/i.test(error.message)) console.error(error.message);
  });
  worker.on("failed", (job, error) => console.error(`${job?.data.place ?? "a shard"}: ${error.message}`));
  const ended = new Promise<void>((resolve) => worker.on("closed", resolve));
  const end = (): void => {
    for (const signal of ["SIGINT", "SIGTERM"]) process.off(signal, end);
    console.error("ending after the shard in hand; once more to drop it");
    void worker.close();
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, end);
  console.error(`${name}: waiting for shards`);
  await ended;
  models.end();
  redis.disconnect();
  if (lack !== undefined) throw refusal(`--work: ${lack}`);
  console.error(`${shards} shards, ${rows} rows`);
}
