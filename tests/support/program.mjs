// Programs under test: each on free ports, with a state directory of its own, gone when the test process is.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The root of the repository. */
export const root = fileURLToPath(new URL("../..", import.meta.url));
const children = new Set();
const folders = new Set();

process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
// Without this, a signal would end the process without the handler above.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

/** A folder that is removed at the end. */
export function temporaryFolder() {
  const folder = mkdtempSync(path.join(os.tmpdir(), "callboard-"));
  folders.add(folder);
  return folder;
}

/** The binary of a program: from the environment variable of its name in capitals, or of the dev profile. */
export function binary(name) {
  return built(name, name, `--package ${name}`);
}

/** The example `vectors`, which runs the golden vectors and writes values as rows. */
export function vectors() {
  return built("vectors", "examples/vectors", "--package callboard-protocol --example vectors");
}

/** The load-testing harness. */
export function loadtest() {
  return built("loadtest", "callboard-loadtest", "--package callboard-loadtest");
}

function built(name, target, selection) {
  const file = process.env[name.toUpperCase()] ?? path.join(process.env.CARGO_TARGET_DIR ?? path.join(root, "target"), "debug", target);
  if (!existsSync(file)) throw new Error(`${file} is missing: run ./test, or cargo build ${selection}`);
  return file;
}

/**
 * Starts a program and waits for its first line. `settings` become flags, `env` is added to an environment without
 * any setting of the person who runs the tests.
 */
export async function start(file, { settings = {}, env = {}, stateDir = temporaryFolder() } = {}) {
  const all = { listen: "127.0.0.1:0", admin: "127.0.0.1:0", "state-dir": stateDir, ...settings };
  const flags = Object.entries(all).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(CALLBOARD_|DATABASE_URL$)/.test(name)));
  const child = spawn(file, flags, { stdio: ["ignore", "pipe", "pipe"], env: { ...clean, ...env } });
  children.add(child);
  const exited = once(child, "exit").then(([code, signal]) => {
    children.delete(child);
    return { code, signal };
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
  const lines = createInterface({ input: child.stdout });
  const [first] = await Promise.race([once(lines, "line"), exited.then((end) => { throw new Error(`${file} ended with ${end.code ?? end.signal}:\n${log}`); })]);
  const match = /^listening on (http:\/\/\S+) admin (http:\/\/\S+) build ([0-9a-f]+) actions (\d+)$/.exec(first);
  if (!match) throw new Error(`${file} announced ${JSON.stringify(first)}`);
  const [, url, admin, build, actions] = match;
  return {
    url,
    admin,
    build,
    actions: Number(actions),
    stateDir,
    exited,
    log: () => log,
    signal: (name) => child.kill(name),
    async stop() {
      child.kill("SIGTERM");
      return exited;
    },
  };
}

/** The references of a program's actions, by name. */
export async function references(program) {
  const manifest = await (await fetch(`${program.admin}/actions`)).json();
  return Object.fromEntries(manifest.actions.map((action) => [action.name, action.reference]));
}

/** Asks again until the answer is right; the test's own timeout ends it otherwise. */
export async function eventually(ask) {
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
