// Whatever React's client can encode comes back from `echo` as it was.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { binary, references, start } from "../support/program.mjs";
import { client } from "../support/react.mjs";
import { difference, randomValue, randomness } from "../support/values.mjs";

let node;
let echo;

before(async () => {
  node = await start(binary("workload"));
  ({ echo } = client(node.url).actions(await references(node)));
});
after(() => node.stop());

async function comesBack(...args) {
  assert.equal(await difference(args, await echo(...args)), undefined);
}

describe("every kind of value comes back", () => {
  const raw = Uint8Array.from({ length: 32 }, (_, at) => at * 8);
  const kinds = {
    "no argument": [],
    "null, true and false": [null, true, false],
    "undefined between others": [1, undefined, 2],
    "numbers that JSON cannot write": [NaN, -0, 0, Infinity, -Infinity],
    "numbers at the edge": [Number.MAX_VALUE, Number.MIN_VALUE, Number.MAX_SAFE_INTEGER, 0.1, 1e21, -1e-7],
    "plain strings": ["", "a", "two words", "line\nend\r\n", "\0\u001f"],
    "strings that look like the encoding": ["$", "$$", "$1", "$undefined", "$D2024-01-01", "$@1", "@", "$T"],
    "text beyond ASCII": ["äöü", "漢字", "😀👩‍🚀", "\u2028\u2029\ufeff", "é vs e\u0301"],
    "lone surrogates": ["\ud800", "\udfff", "a\ud83d", "\ude00b", "\ude00\ud83d"],
    "a string of a megabyte's half": ["x".repeat(500_000)],
    "a long string beyond ASCII": ["漢😀\ud800".repeat(2_000)],
    dates: [new Date(0), new Date("2026-11-23T12:34:56.789Z"), new Date(8.64e15), new Date(-8.64e15)],
    "big integers": [0n, -1n, 2n ** 64n, -(2n ** 200n), BigInt("9".repeat(299))],
    maps: [new Map(), new Map([["a", 1], [2, "b"], [null, undefined], [NaN, -0]]), new Map([[{ key: "object" }, new Map([[1, new Set([1])]])]])],
    sets: [new Set(), new Set([1, "1", null, undefined, NaN]), new Set([new Set(), {}, []])],
    "array buffers and views": [raw.buffer.slice(0), new DataView(raw.buffer.slice(0)), raw.subarray(3, 9), new Uint8Array()],
    "typed arrays": [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array].map((type) => new type(raw.buffer.slice(0))),
    "nested arrays and objects": [[[[]], [{}]], { a: { b: { c: [1, { d: null }] } } }],
    "objects with odd names": [{ "": 1, $: 2, "$1": 3, "a:b": { c: 1 }, length: 4, 7: 5, "ä 😀": 6, constructor: 7, then: 8 }],
    "a sparse array": [Object.assign([], { 0: 1, 3: 4 })],
  };
  for (const [name, args] of Object.entries(kinds)) test(name, () => comesBack(...args));

  test("members that are undefined are left out", async () => {
    const [got] = await echo({ a: undefined, b: 1 });
    assert.deepEqual(got, { b: 1 });
  });

  test("an invalid date arrives as null, as React sends it", async () => {
    assert.deepEqual(await echo(new Date(NaN)), [null]);
  });

  test("blobs and files", async () => {
    await comesBack(new Blob(["some ", "text"], { type: "text/plain" }));
    const [file] = await echo(new File([raw], "name \"ä\".bin", { type: "application/x-thing" }));
    assert.equal(file.type, "application/x-thing");
    assert.deepEqual(new Uint8Array(await file.arrayBuffer()), raw);
  });

  test("form data, with repeated names and files, in order", async () => {
    const form = new FormData();
    form.append("a", "1");
    form.append("b", "ä\r\nb");
    form.append("a", "2");
    form.append("file", new File(["content"], "f.txt", { type: "text/plain" }));
    const [got, last] = await echo(form, "last");
    assert.equal(last, "last");
    assert.deepEqual([...got.keys()], ["a", "b", "a", "file"]);
    assert.deepEqual([got.getAll("a"), got.get("b")], [["1", "2"], "ä\r\nb"]);
    assert.equal(await got.get("file").text(), "content");
  });

  test("ten forms, whose ids need two digits", async () => {
    const forms = Array.from({ length: 12 }, (_, at) => Object.assign(new FormData()));
    forms.forEach((form, at) => form.append("at", String(at)));
    const got = await echo(...forms);
    assert.deepEqual(got.map((form) => form.get("at")), forms.map((_, at) => String(at)));
  });

  test("nesting of 500 levels", async () => {
    let deep = "bottom";
    for (let level = 0; level < 500; level += 1) deep = level % 2 ? [deep] : { deep };
    await comesBack(deep);
  });

  test("promises, one level deep", async () => {
    const [fulfilled, list] = await echo(Promise.resolve({ later: 1n }), [Promise.resolve(1), Promise.resolve(new Map([[1, 2]]))]);
    assert.ok(fulfilled instanceof Promise);
    assert.deepEqual(await fulfilled, { later: 1n });
    assert.deepEqual(await Promise.all(list), [1, new Map([[1, 2]])]);
  });

  test("values that stay with the client come back as the same ones", async () => {
    const symbol = Symbol("mine");
    class Local {}
    const local = new Local();
    const run = () => {};
    const [{ kept }, same, also] = await echo({ kept: symbol }, local, run);
    assert.ok(kept === symbol && same === local && also === run);
  });
});

describe("what is one object stays one object", () => {
  test("shared objects, arrays, maps and sets", async () => {
    const shared = [{ a: 1 }, [1, 2], new Map([["k", {}]]), new Set([[]])];
    for (const one of shared) await comesBack(one, [one, { one }], one);
  });

  test("an object shared between a map and its outside", async () => {
    const one = { name: "one" };
    await comesBack(new Map([["first", one], ["second", [one]]]), one);
  });

  test("cycles", async () => {
    const self = { name: "self" };
    self.self = self;
    const list = [1];
    list.push(list, { list });
    const parent = { children: [] };
    parent.children.push({ parent }, { parent });
    await comesBack(self);
    await comesBack(list);
    await comesBack(parent);
  });
});

/** Goal: no combination of kinds is lost. Method: random values of a seed, which SEED repeats. */
test("a thousand random values come back", { timeout: 120_000 }, async (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  t.diagnostic(`SEED=${seed}`);
  for (let run = 0; run < 1000; run += 1) {
    const random = randomness(seed + run);
    const args = Array.from({ length: 1 + random.below(3) }, () => randomValue(random, 60));
    const got = await echo(...args);
    assert.equal(await difference(args, got), undefined, `SEED=${seed + run}, first run`);
  }
});
