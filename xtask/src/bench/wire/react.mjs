// React's own decoder and encoder, measured on demand: `cargo xtask bench decode` asks in a line of JSON on the standard
// input, and reads the answer in one.
//
//   node --conditions=react-server react.mjs <folder with node_modules> <folder with the vectors>
//
// A question names a task, a vector and how long to measure. The answer is `{ ns }`, the time of one run, or `{ unable }`.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { createInterface } from "node:readline";

import { revive } from "../../../../tests/support/tagged.mjs";

const [packages, golden] = process.argv.slice(2);
const require = createRequire(path.resolve(packages, "package.json"));
const action = () => {};
globalThis.__webpack_require__ = () => ({ run: action });
globalThis.__webpack_chunk_load__ = () => Promise.resolve();
const server = require("react-server-dom-webpack/server.node");
const manifest = new Proxy({}, { get: (_, id) => (String(id).startsWith("unknown") || String(id).includes("#") ? undefined : { id, chunks: [], name: "run" }) });
// What a stream of a vector says in the end is no matter here.
process.on("unhandledRejection", () => {});

const read = (folder, name) => JSON.parse(readFileSync(path.join(golden, folder, `${name}.json`), "utf8"));

/** A body as `decodeReply` takes it, which leaves it as it is. */
function sent(vector) {
  if (vector.kind === "string") return vector.body ?? vector.segments.map(({ text, unit, count }) => text ?? unit.repeat(count)).join("");
  const form = new FormData();
  for (const part of vector.parts) {
    if (part.base64 === undefined) form.append(part.name, part.value);
    else form.append(part.name, new Blob([Buffer.from(part.base64, "base64")], { type: part.declaredType }), part.filename);
  }
  return form;
}

const tasks = {
  decode(name) {
    const vector = read("reply", name);
    const body = sent(vector);
    const temporary = JSON.stringify(vector.expect ?? null).includes('"temporary_ref"');
    const run = () => server.decodeReply(body, manifest, temporary ? { temporaryReferences: server.createTemporaryReferenceSet() } : undefined);
    return { make: () => undefined, run, concurrent: false };
  },
  encode(name) {
    const { expect } = read("response", name);
    const reference = (id, bound) => {
      const made = server.registerServerReference(() => {}, id, null);
      return bound?.length ? made.bind(null, ...bound) : made;
    };
    const run = async (value) => {
      const reader = server.renderToReadableStream(value, {}, { onError: (error) => error?.digest }).getReader();
      while (!(await reader.read()).done);
    };
    // React leaves the stack to the event loop in between, whose turns many runs share.
    return { make: () => revive(expect, { reference }), run, concurrent: true };
  },
};

/** Nanoseconds of one run, over as many as fit into the time. What they are given is made outside of it. */
async function measure({ make, run, concurrent }, milliseconds) {
  let [spent, runs, size] = [0, 0, concurrent ? 16 : 1];
  while (spent < milliseconds * 1e6) {
    const inputs = Array.from({ length: size }, make);
    const from = process.hrtime.bigint();
    if (concurrent) await Promise.all(inputs.map(run));
    else for (const input of inputs) await run(input);
    const took = Number(process.hrtime.bigint() - from);
    spent += took;
    runs += size;
    // Rounds long enough for the clock, and small enough for memory.
    if (took < 2e6 && size < 512) size *= 2;
  }
  return spent / runs;
}

async function answer({ task, name, milliseconds }) {
  try {
    const late = new Promise((_, reject) => setTimeout(reject, 5000 + 10 * milliseconds, new Error("it never ends")).unref());
    return { ns: await Promise.race([measure(tasks[task](name), milliseconds), late]) };
  } catch (error) {
    return { unable: String(error?.message ?? error).split("\n")[0].slice(0, 120) };
  }
}

const version = require("react-server-dom-webpack/package.json").version;
console.log(JSON.stringify({ react: version, node: process.version }));
for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(await answer(JSON.parse(line))));
