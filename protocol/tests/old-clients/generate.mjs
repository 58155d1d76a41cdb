// Writes ../golden/reply-old: what the clients of older versions of React send, and what their own servers read in it.
//
//   npm ci && node generate.mjs
//
// Five ways of encoding were published, the same in each line of versions; package.json holds one client of each:
//
//   19.0.0  $F                        19.0.0 to 19.0.1, 19.1.0 to 19.1.2, 19.2.0 to 19.2.1
//   19.1.4  $h                        19.0.2 to 19.0.3, 19.1.4, 19.2.2 to 19.2.3
//   19.2.4  shared references         19.0.4 to 19.0.5, 19.1.5 to 19.1.6, 19.2.4 to 19.2.5
//   19.3.0  _<id>_<name>              19.0.6 to 19.0.8, 19.1.7 to 19.1.9, 19.2.6 to 19.2.8, 19.3.0
//   19.3.1  S<id>                     19.0.9, 19.1.10, 19.2.9, 19.3.1
//
// `node generate.mjs --compare` says for each installed version what differs from the one before it. What a server of
// the same version makes of a body is `expect`. Where that is not what was sent, it is the bug of that version, and
// `expect_sane` is what was sent. `old_clients` marks the bodies that differ from what the newest version sends.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { describe } from "../../../tests/support/tagged.mjs";
import { cases } from "./cases.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const target = path.join(here, "../golden/reply-old");
const require = createRequire(import.meta.url);
const CALL = Symbol("what a server function is");

// React's server refuses to be loaded without this condition, which only a new process can have.
if (!process.execArgv.includes("--conditions=react-server")) {
  const { status } = spawnSync(process.execPath, ["--conditions=react-server", fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
    env: { ...process.env, NODE_ENV: "production" },
  });
  process.exit(status ?? 1);
}

const isKnown = (id) => !id.startsWith("unknown");
const action = (id, bound = null) => Object.assign(() => {}, { [CALL]: { id, bound }, bind: (_, ...args) => action(id, [...(bound ?? []), ...args]) });
const actions = new Map();
globalThis.__webpack_require__ = (id) => {
  if (!actions.has(id)) actions.set(id, { run: action(id) });
  return actions.get(id);
};
// Some of the servers throw from a callback, and the value stays unsettled; that shows in `expect`.
process.on("uncaughtException", () => {}).on("unhandledRejection", () => {});
globalThis.__webpack_chunk_load__ = () => Promise.resolve();
const manifest = new Proxy({}, { get: (_, id) => (isKnown(id) ? { id, chunks: [], name: "run" } : undefined) });

/** The installed versions of React's bindings, oldest first. */
function versions() {
  const { dependencies } = JSON.parse(readFileSync(path.join(here, "package.json"), "utf8"));
  return Object.keys(dependencies).filter((name) => name.startsWith("react-")).map((name) => name.slice("react-".length))
    .filter((version) => /^\d/.test(version)).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

function load(version) {
  const folder = path.join(here, "node_modules", `react-${version}`, "cjs");
  const build = (name) => require(path.join(folder, `react-server-dom-webpack-${name}.production.js`));
  return { server: build("server.node"), client: build("client.edge") };
}

async function send(client, make) {
  const body = await client.encodeReply(make());
  if (typeof body === "string") return { kind: "string", body };
  const parts = [];
  for (const [name, value] of body) {
    if (typeof value === "string") parts.push({ name, value });
    else parts.push({ name, filename: value.name, contentType: value.type || "application/octet-stream", declaredType: value.type, base64: Buffer.from(await value.arrayBuffer()).toString("base64") });
  }
  return { kind: "form", parts };
}

/** What a server reads in a body. */
async function receive(server, sent) {
  const form = new FormData();
  for (const part of sent.parts ?? []) {
    if (part.base64 === undefined) form.append(part.name, part.value);
    else form.append(part.name, new Blob([Buffer.from(part.base64, "base64")], { type: part.declaredType }), part.filename);
  }
  const late = new Promise((_, reject) => setTimeout(reject, 1000, new Error("the server never answers")).unref());
  try {
    const value = await Promise.race([server.decodeReply(sent.body ?? form, manifest), late]);
    return await describe(value, { reference: (value) => value[CALL] });
  } catch (error) {
    return { reject: String(error.message) };
  }
}

/** What was sent, as a server that loses nothing would read it. */
async function meant(make) {
  const described = await describe(await make(), { reference: (value) => value[CALL] });
  return JSON.stringify(described).includes('"unknown-id"') ? undefined : described;
}

/** The vectors of one version, by name. */
async function vectors(version) {
  const { server, client } = load(version);
  const own = cases({ reference: (id) => client.createServerReference(id, () => {}) });
  const ideal = cases({ reference: (id) => __webpack_require__(id).run });
  const made = new Map();
  for (const [name, make] of Object.entries(own)) {
    const sent = await send(client, make);
    const expect = await receive(server, sent);
    const sane = await meant(ideal[name]);
    const isBug = sane !== undefined && JSON.stringify(sane) !== JSON.stringify(expect);
    made.set(name, { sent, expect, ...(isBug && { reference_bug: `React ${version} itself reads something else than was sent`, expect_sane: sane }) });
  }
  return made;
}

const text = (value) => JSON.stringify(value);

async function compare() {
  let before;
  for (const version of versions()) {
    const made = await vectors(version);
    const changed = [...made].filter(([name, { sent }]) => before && text(sent) !== text(before.get(name).sent)).map(([name]) => name);
    const bugs = [...made].filter(([, { reference_bug }]) => reference_bug).map(([name]) => name);
    const fingerprint = createHash("sha256").update(text([...made].map(([, { sent }]) => sent))).digest("hex").slice(0, 8);
    console.log(`${version} ${fingerprint}: ${before ? `${changed.length} bodies differ: ${changed.join(" ")}` : "the first"}; own bugs: ${bugs.join(" ") || "none"}`);
    before = made;
  }
}

async function generate() {
  const all = versions();
  const newest = await vectors(all.at(-1));
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  const written = new Map(); // Bodies that an older version has sent already.
  let count = 0;
  for (const version of all.slice(0, -1)) {
    for (const [name, { sent, ...expected }] of await vectors(version)) {
      if (written.get(name)?.has(text(sent))) continue;
      written.set(name, (written.get(name) ?? new Set()).add(text(sent)));
      const isOld = text(sent) !== text(newest.get(name).sent);
      const vector = { name: `${version}-${name}`, description: `${name.replaceAll("-", " ")}, by the client of React ${version}`, ...(isOld && { old_clients: true }), ...sent, ...expected };
      writeFileSync(path.join(target, `${vector.name}.json`), `${text(vector)}\n`);
      count += 1;
    }
  }
  console.log(`${count} vectors`);
}

await (process.argv.includes("--compare") ? compare() : generate());
