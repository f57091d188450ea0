// A server of Node's own, without a framework.

import { createServer } from "node:http";
import { createService } from "dpo-kernels/service";
import { listenerOf } from "./listener.js";

const service = createService({ cors: true });
const server = createServer(listenerOf(service));
server.listen(Number(process.env.PORT ?? 8000), process.env.HOST ?? "127.0.0.1", () => {
  const { address, port } = server.address();
  console.log(`http://${address}:${port}`);
});
