// What the crate's encoder writes, and what React's client reads in it.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";

import { createFromReadableStream } from "./react.mjs";
import { describe } from "./tagged.mjs";

const CALL = Symbol("a call that is not made");

/**
 * The rows that the crate's encoder writes for tagged values, in their order; a text instead where there are none,
 * which says why. `file` is the example `vectors`.
 */
export async function encode(file, values) {
  const child = spawn(file, ["--encode"], { stdio: ["pipe", "pipe", "inherit"] });
  const answers = [];
  // Written while it is read, as otherwise each side waits for the other to read.
  const written = pipeline(values.map((value) => `${JSON.stringify(value)}\n`), child.stdin);
  for await (const line of createInterface({ input: child.stdout })) answers.push(line.startsWith("!") ? line.slice(1) : Buffer.from(line, "base64"));
  await written;
  return answers;
}

/** What React's client makes of rows, in tagged JSON. */
export async function read(rows) {
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(rows));
      controller.close();
    },
  });
  const callServer = (id, args) => ({ [CALL]: { id, bound: args } });
  try {
    const value = await createFromReadableStream(stream, { callServer });
    return await describe(value, { reference: async (call) => (await call())[CALL] });
  } catch (error) {
    return { t: "throw", ...(error.digest !== undefined && { digest: error.digest }) };
  }
}

/**
 * A tagged value as far as somebody on the other side of a response can tell. Calls show no difference between no
 * bound arguments and none of them; names of files are lost; of a stream that breaks off, items that nobody has read
 * are lost; members that are undefined are left out.
 */
export function observable(json) {
  if (typeof json !== "object" || json === null) return json;
  if (Array.isArray(json)) return json.map(observable);
  const { message: _, ...rest } = json;
  const entries = Object.entries(rest).map(([key, value]) => [key, key === "v" || typeof value === "object" ? observable(value) : value]);
  const plain = Object.fromEntries(entries);
  switch (plain.t) {
    case "object": return { ...plain, entries: plain.entries.filter(([, value]) => value?.t !== "undefined") };
    case "server_ref": return { ...plain, bound: plain.bound ?? [] };
    case "file": return { t: "blob", type: plain.type, b64: plain.b64 };
    case "stream": return plain.status === "errored" ? { t: "stream", kind: plain.kind, items: [], b64: "", status: "errored", digest: plain.digest } : plain;
    case "async_iterable": case "async_iterator": return plain.return?.t === "undefined" ? { ...plain, return: undefined } : plain;
    default: return plain;
  }
}
