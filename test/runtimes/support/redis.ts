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
  let port: number;
  let server: ChildProcess;
  /** False where it has ended instead: the port was free before, and somebody else's now. */
  const start = async (): Promise<boolean> => {
    const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
    server = spawn(SERVER, [...args, "--appendonly", "yes", "--appendfsync", "always"], { stdio: "ignore" });
    const { pid } = server;
    while (!(await answers(port, pid))) {
      if (server.exitCode !== null) return false;
      await new Promise((go) => setTimeout(go, 20));
    }
    return true;
  };
  do port = await freePort();
  while (!(await start()));
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: () => server.pid,
    kill: async () => {
      const ended = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGKILL");
      await ended;
    },
    restart: async () => {
      if (!(await start())) throw new Error(`${SERVER}: port ${port} was taken while it was away`);
    },
    stop: () => stop(server),
  };
}

/** Whether this very process answers there. */
function answers(port: number, pid: number | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    let said = "";
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("error", () => end(false));
    socket.once("close", () => resolve(false));
    socket.on("data", (bytes) => {
      said += bytes.toString();
      const [, process_id] = /process_id:(\d+)\r/.exec(said) ?? [];
      if (process_id !== undefined) end(Number(process_id) === pid);
      // While it reads what it had.
      else if (said.startsWith("-")) end(false);
    });
    socket.write("INFO server\r\n");
  });
}
