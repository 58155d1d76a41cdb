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

/** Asks again until it is so. */
export async function until(what, look) {
  for (const end = Date.now() + 20_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: never`);
  }
}

/** Starts so many nodes of a program, and waits until they know each other. How long a node may be silent is kept short. */
export async function startCluster(file, count, settings = {}, env = {}) {
  const redis = await startRedis();
  const timing = { "call-renew": "400ms", "call-hold": "1200ms", "call-fence": "1500ms" };
  const nodes = [];
  async function stop() {
    // One that sleeps would not hear that it is to stop.
    for (const node of nodes) node.signal("SIGCONT");
    await Promise.all(nodes.map((node) => node.stop()));
    redis.stop();
  }
  try {
    for (let node = 0; node < count; node += 1) {
      nodes.push(await start(file, { settings: { redis: redis.url, ...timing, ...settings }, env: { CALLBOARD_KEYS: KEYS, ...env } }));
    }
    for (const node of nodes) {
      await until(`all nodes are members, as ${node.url} sees it`, async () => {
        const { cluster } = await (await fetch(`${node.admin}/status`)).json();
        return cluster.members.length === count;
      });
    }
  } catch (error) {
    // Else what runs already keeps the tests from ending.
    await stop();
    throw error;
  }
  return { nodes, redis, stop };
}
