// A Redis and nodes of one cluster.
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";

import { start, temporaryFolder } from "./program.mjs";

// The same for all nodes, so that they take each other for builds of one application.
const KEYS = "1:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

async function startRedis() {
  const port = await freePort();
  const child = spawn(process.env.REDIS_SERVER ?? "redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", temporaryFolder()], { stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => child.kill("SIGKILL"));
  let log = "";
  for await (const text of child.stdout.setEncoding("utf8")) {
    log += text;
    if (log.includes("Ready to accept connections")) {
      child.stdout.resume();
      return { url: `redis://127.0.0.1:${port}`, stop: () => child.kill("SIGKILL") };
    }
  }
  throw new Error(`redis-server ended:\n${log}`);
}

/** Starts so many nodes of a program, each of which takes the others' lead: how long a node may be silent is kept short. */
export async function startCluster(file, count, settings = {}) {
  const redis = await startRedis();
  const timing = { "call-renew": "400ms", "call-hold": "1200ms", "call-fence": "1500ms" };
  const nodes = [];
  async function stop() {
    await Promise.all(nodes.map((node) => node.stop()));
    redis.stop();
  }
  try {
    for (let node = 0; node < count; node += 1) {
      nodes.push(await start(file, { settings: { redis: redis.url, ...timing, ...settings }, env: { CALLBOARD_KEYS: KEYS } }));
    }
  } catch (error) {
    // Else what runs already keeps the tests from ending.
    await stop();
    throw error;
  }
  return { nodes, redis, stop };
}
