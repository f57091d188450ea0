// Debian's Redis on a port of its own, which writes each command to the disk before it answers.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createConnection } from "node:net";
import { stop } from "./processes.ts";
import { freePort } from "./projects.ts";

const SERVER = "/usr/bin/redis-server";

/** How to get it where it is missing. */
export const noRedis = existsSync(SERVER)
  ? ""
  : `no ${SERVER}: apt-get install -y --no-install-recommends redis-server`;

export interface RedisServer {
  readonly url: string;
  pid(): number | undefined;
  /** Ends it without a chance to do anything. */
  kill(): Promise<void>;
  /** On the same port, with what it had. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts one whose files go to `folder`. */
export async function startRedis(folder: string): Promise<RedisServer> {
  const port = await freePort();
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
  let server: ChildProcess;
  const start = async (): Promise<void> => {
    server = spawn(SERVER, [...args, "--appendonly", "yes", "--appendfsync", "always"], { stdio: "ignore" });
    while (!(await answers(port))) await new Promise((go) => setTimeout(go, 20));
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: () => server.pid,
    kill: async () => {
      const ended = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGKILL");
      await ended;
    },
    restart: start,
    stop: () => stop(server),
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("error", () => end(false));
    socket.once("data", (bytes) => end(bytes.toString().startsWith("+PONG")));
    socket.write("PING\r\n");
  });
}
