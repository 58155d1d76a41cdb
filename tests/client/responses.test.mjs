// What the crate's encoder writes is what React's client reads: every golden value, and random ones.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { root, vectors } from "../support/program.mjs";
import { encode, observable, read } from "../support/rows.mjs";
import { describe } from "../support/tagged.mjs";
import { KINDS, randomValue, randomness } from "../support/values.mjs";

const RUNS = 10_000;
/** Why a golden value cannot be sent by an application: only rendering makes it, or only a response that breaks off. */
const BEYOND = /an element|a client reference|without a digest/;

function golden(folder) {
  const directory = path.join(root, "protocol/tests/golden", folder);
  return readdirSync(directory).sort().map((file) => ({ name: path.basename(file, ".json"), ...JSON.parse(readFileSync(path.join(directory, file), "utf8")) }));
}

const CALL = Symbol("what a server reference is");
const reference = (number, bound) => Object.assign(() => {}, { [CALL]: { id: `id${number}`, bound } });
const same = (left, right) => JSON.stringify(observable(left)) === JSON.stringify(observable(right));

test("React reads every golden value in what the encoder writes", { timeout: 60_000 }, async (t) => {
  const all = golden("response");
  const answers = await encode(vectors(), all.map(({ expect }) => expect));
  assert.equal(answers.length, all.length);
  const unsent = [];
  let sent = 0;
  for (const [at, { name, expect }] of all.entries()) {
    const rows = answers[at];
    if (typeof rows === "string") {
      unsent.push(`${name}: ${rows}`);
      continue;
    }
    const got = await read(rows);
    assert.ok(same(got, expect), `${name}: ${rows}\nread as ${JSON.stringify(got)}\nand not  ${JSON.stringify(expect)}`);
    sent += 1;
  }
  t.diagnostic(`${sent} values were sent and read, ${unsent.length} cannot be sent`);
  for (const line of unsent) t.diagnostic(`cannot be sent: ${line}`);
  assert.deepEqual(unsent.filter((line) => !BEYOND.test(line)), []);
});

/** Goal: no combination of kinds is written wrong. Method: random values of a seed, which SEED repeats. */
test("React reads ten thousand random values in what the encoder writes", { timeout: 240_000 }, async (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  t.diagnostic(`SEED=${seed}`);
  const kinds = [...KINDS, "reference", "symbol", "error", "rejected", "broken"];
  const expected = [];
  for (let run = 0; run < RUNS; run += 1) {
    const value = randomValue(randomness(seed + run), 25, { kinds, reference });
    expected.push(await describe([value], { reference: (value) => value[CALL] }));
  }
  const answers = await encode(vectors(), expected);
  assert.equal(answers.length, RUNS);
  for (const [run, rows] of answers.entries()) {
    assert.notEqual(typeof rows, "string", `SEED=${seed + run}, first run: ${rows}`);
    const got = await read(rows);
    assert.ok(same(got, expected[run]), `SEED=${seed + run}, first run: ${rows}\nread as ${JSON.stringify(got)}\nand not  ${JSON.stringify(expected[run])}`);
  }
  t.diagnostic(`${RUNS} values were sent and read`);
});
