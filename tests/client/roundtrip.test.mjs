// Values of every kind that React's client can send come back from `echo` as they were: random ones, and those of the
// golden responses.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { binary, references, root, start } from "../support/program.mjs";
import { createFromFetch, createFromReadableStream, encodeReply } from "../support/react.mjs";
import { observable } from "../support/rows.mjs";
import { describe, revive } from "../support/tagged.mjs";
import { KINDS, randomValue, randomness } from "../support/values.mjs";

const RUNS = 10_000;
/** How many values one call takes along. */
const BATCH = 50;
const CALL = Symbol("what a server reference is");

let node;
let echo;
let known;

before(async () => {
  node = await start(binary("workload"));
  const all = await references(node);
  [echo, known] = [all.echo, Object.values(all)];
});
after(() => node.stop());

const callServer = (id, args) => ({ [CALL]: { id, bound: args } });
const whatItCalls = async (reference) => (await reference())[CALL];
const hex = (number) => number.toString(16);

/**
 * A maker of server references that React's client can send. It sends bound ones only if a server gave them to it: here
 * one did, with an empty array of bound arguments that is at hand beside the reference, and takes the arguments later.
 */
async function referenceMaker(count) {
  const each = (write) => Array.from({ length: count }, (_, at) => write(`${hex(2 * at + 1)}`, `${hex(2 * at + 2)}`, JSON.stringify(known[at % known.length])));
  const rows = each((call, bound, id) => `${call}:{"id":${id},"bound":"$@${bound}"}\n${bound}:[]\n`).join("");
  const pairs = each((call, bound) => `["$h${call}","$${bound}"]`).join(",");
  const pool = await createFromReadableStream(new Response(`${rows}0:[${pairs}]\n`).body, { callServer });
  return (_, bound) => {
    const [reference, taken] = pool.pop();
    taken.push(...(bound ?? []));
    return reference;
  };
}

/**
 * What `echo` gives back for arguments, which are sent without any that only the client can hold.
 *
 * React 19.3.1 takes a reply for complete when it meets a reference whose bound arguments came from a server, as it
 * counts those as done before it counts the streams behind them. A promise that settles after them all prevents that. And
 * it spoils all bytes that came in one piece of the body with a piece of a byte stream at its end, so that it gets the
 * whole body as one.
 */
async function echoed(args) {
  const body = await encodeReply([new Promise((resolve) => setImmediate(resolve)), ...args]);
  const response = await fetch(node.url, { method: "POST", headers: { accept: "text/x-component", "next-action": echo }, body });
  if (response.status !== 200) return [`status ${response.status}: ${await response.text()}`];
  const whole = new Response(await response.arrayBuffer());
  const root = await createFromFetch(Promise.resolve(whole), { callServer });
  return (await root.a).slice(1);
}

/** As a body carries it: in a form, a blob without a type is one of arbitrary bytes. */
function carried(json) {
  if (typeof json !== "object" || json === null) return json;
  if (Array.isArray(json)) return json.map(carried);
  const plain = Object.fromEntries(Object.entries(json).map(([key, value]) => [key, carried(value)]));
  return plain.t === "blob" && plain.type === "" ? { ...plain, type: "application/octet-stream" } : plain;
}

/** Where arguments came back as something else, or `undefined`. They are made twice, as some can be used only once. */
async function difference(make, referenceCount) {
  const expected = carried(observable(await describe(await make(await referenceMaker(referenceCount)), { reference: whatItCalls })));
  const got = observable(await describe(await echoed(await make(await referenceMaker(referenceCount))), { reference: whatItCalls }));
  const [left, right] = [JSON.stringify(expected), JSON.stringify(got)];
  if (left === right) return undefined;
  let at = 0;
  while (left[at] === right[at]) at += 1;
  const around = (text) => text.slice(Math.max(0, at - 100), at + 100);
  return `${around(left)}\nbecame\n${around(right)}`;
}

test("every golden value that React's client can send comes back", { timeout: 60_000 }, async (t) => {
  const folder = path.join(root, "protocol/tests/golden/response");
  const unsent = [];
  let sent = 0;
  for (const file of readdirSync(folder).sort()) {
    const { expect } = JSON.parse(readFileSync(path.join(folder, file), "utf8"));
    const name = path.basename(file, ".json");
    try {
      await encodeReply([revive(expect, { reference: await referenceMaker(8) })]);
    } catch (error) {
      unsent.push(`${name}: ${error.message.split("\n")[0]}`);
      continue;
    }
    assert.equal(await difference((reference) => [revive(expect, { reference })], 8), undefined, name);
    sent += 1;
  }
  t.diagnostic(`${sent} values came back, ${unsent.length} cannot be sent`);
  for (const line of unsent) t.diagnostic(`cannot be sent: ${line}`);
  assert.ok(sent >= 90, "the list of what cannot be sent has not grown");
});

/** Goal: no combination of kinds is lost. Method: random values of a seed, which SEED repeats, many in each call. */
test("ten thousand random values come back", { timeout: 240_000 }, async (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  t.diagnostic(`SEED=${seed}`);
  const kinds = [...KINDS, "reference"];
  for (let run = 0; run < RUNS; run += BATCH) {
    const make = (reference) => Array.from({ length: BATCH }, (_, at) => randomValue(randomness(seed + run + at), 25, { kinds, asArguments: true, reference }));
    assert.equal(await difference(make, 6 * BATCH), undefined, `SEED=${seed + run}, first call`);
  }
  t.diagnostic(`${RUNS} values came back`);
});
