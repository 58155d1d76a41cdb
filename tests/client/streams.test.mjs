// What comes in pieces, in both directions, as React's client sends and sees it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { binary, eventually, references, start } from "../support/program.mjs";
import { client } from "../support/react.mjs";

let node;
let react;
let actions;

before(async () => {
  node = await start(binary("workload"));
  react = client(node.url);
  actions = react.actions(await references(node));
});
after(() => node.stop());

const collect = async (items) => {
  const all = [];
  for await (const item of items) all.push(item);
  return all;
};

describe("an answer in pieces", () => {
  test("is a stream", async () => {
    const stream = await actions.stream(3, 0);
    assert.ok(stream instanceof ReadableStream);
    assert.deepEqual(await collect(stream), [0, 1, 2]);
  });

  test("gives its first item before its last is made", async () => {
    const reader = (await actions.stream(1000, 50)).getReader();
    assert.deepEqual(await reader.read(), { done: false, value: 0 });
    assert.deepEqual(await reader.read(), { done: false, value: 1 });
  });

  test("is an async iterable", async () => {
    assert.deepEqual(await collect(await actions.iterable(3, 0)), [0, 1, 2]);
  });

  test("is bytes", async () => {
    const pieces = await collect(await actions.byte_stream(3));
    const bytes = Buffer.concat(pieces);
    assert.deepEqual([bytes.length, bytes[0], bytes[1500], bytes[2999]], [3000, 0, 1, 2]);
  });

  test("ends in the stream's error with its digest", async () => {
    // A stream that fails forgets what was not read by then.
    const error = await collect(await actions.stream_fails(1, "sold-out")).catch((error) => error);
    assert.deepEqual(JSON.parse(error.digest), { code: "sold-out", message: "failed with sold-out" });
  });

  test("is a value that is there later", async () => {
    assert.equal(await actions.later(20), 20);
  });

  test("is not made for a client that goes away", async () => {
    const before = await actions.streamed();
    const gone = new AbortController();
    const leaving = client(node.url, { signal: gone.signal }).actions(await references(node));
    const reader = (await leaving.stream(1_000_000, 20)).getReader();
    await reader.read();
    const broken = reader.read().then(() => reader.read()).then(() => collect(reader)).catch((error) => error);
    gone.abort();
    assert.ok((await broken) instanceof Error);
    await eventually(async () => (await actions.streamed()).ended > before.ended);
    assert.ok((await actions.streamed()).given - before.given < 1000);
  });
});

describe("an argument in pieces", () => {
  test("is a promise", async () => {
    assert.equal(await actions.read_promise(Promise.resolve("kept")), "kept");
  });

  test("is a stream, an async iterable or an async iterator", async () => {
    async function* numbers() {
      yield 1;
      yield 2;
      yield 3;
    }
    assert.equal(await actions.sum_stream(ReadableStream.from([1, 2, 3])), 6);
    assert.equal(await actions.sum_stream(numbers()), 6);
    assert.equal(await actions.sum_stream({ [Symbol.asyncIterator]: numbers }), 6);
  });

  test("is bytes", async () => {
    const bytes = new ReadableStream({
      type: "bytes",
      start(controller) {
        controller.enqueue(new Uint8Array(1000));
        controller.enqueue(new Uint8Array(234));
        controller.close();
      },
    });
    assert.equal(await actions.count_bytes(bytes), 1234);
  });

  test("is answered in pieces", async () => {
    assert.deepEqual(await collect(await actions.double_stream(ReadableStream.from([1, 2, 21]))), [2, 4, 42]);
  });
});

describe("an action that is returned", () => {
  test("is a function that calls it, with what was bound to it", async () => {
    const { add, add_to } = await actions.returns_action(40);
    assert.equal(await add(1, 2), 3);
    assert.equal(await add_to(2), 42);
    // It can be an argument, and be bound further.
    const [again] = await actions.echo(add_to);
    assert.equal(await again(3), 43);
    assert.equal(await add_to.bind(null, 4)(), 44);
  });
});
