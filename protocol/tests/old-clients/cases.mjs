// What the clients are asked to send: values of every kind whose encoding has changed, and some of each other kind.
// A function makes each, as some can be used only once. A promise of its own holder is missing: 19.0.0 never ends there.
// `reference` makes a server reference of the client's own.

export function cases({ reference }) {
  const bound = (id, ...args) => reference(id).bind(null, ...args);
  return {
    "reference": () => [reference("a1")],
    "reference-root": () => reference("a1"),
    "reference-bound": () => [bound("b1", "x", 1)],
    "reference-bound-nothing": () => [bound("b1")],
    "reference-bound-twice": () => [bound("b1", 1).bind(null, 2, { three: 3 })],
    "reference-bound-values": () => [bound("b1", new Map([["k", new Date(0)]]), undefined, reference("inner"))],
    "reference-shared": () => shared(reference("a1")),
    "reference-two-of-one-action": () => [reference("a1"), reference("a1")],
    "reference-in-map": () => [new Map([["save", bound("b1", 5n)]])],
    "reference-in-promise": () => [Promise.resolve({ save: bound("b1", "later") })],
    "reference-unknown": () => [reference("unknown-id")],
    "reference-id-over-16": () => [fifteenSets(), bound("b1", "x")],
    "reference-look-alikes": () => [reference("a1"), "$F1", "$h1", "F1"],

    "formdata": () => [form(["a", "1"])],
    "formdata-empty": () => [form()],
    "formdata-repeated": () => [form(["a", "1"], ["b", "2"], ["a", "3"])],
    "formdata-root": () => form(["x", "y"]),
    "formdata-file": () => [form(["up", new File(["DATA"], "f.bin", { type: "application/x-d" })], ["t", "v"], ["up", new File([], "empty.txt", { type: "text/plain" })])],
    "formdata-names": () => [form(["", "empty"], ["0", "zero"], ["1_x", "1"], ["_1_", "2"], ["_", "3"], ["a:b", "4"], ["ü", "5"], ["S1", "6"])],
    "formdata-two": () => [form(["a", "1"]), form(["a", "2"])],
    "formdata-two-empty-first": () => [form(), form(["a", "2"])],
    "formdata-shared": () => shared(form(["k", "v"])),
    "formdata-in-map": () => [new Map([["f", form(["q", "w"])]]), form(["z", "1"])],
    "formdata-in-promise": () => [Promise.resolve(form(["p", "1"])), form(["d", "2"])],
    "formdata-after-state": () => [{ count: 3 }, form(["name", "Ada"])],
    "formdata-id-10": () => [nineSets(), form(["a", "ten"])],
    "formdata-id-10-and-1": () => [form(["a", "one"]), nineSets().slice(1), form(["0_a", "ten"], ["a", "11"])],
    "formdata-bound": () => [bound("b1", form(["k", "v"]))],

    "stream": () => [stream("a", { b: 1 }, undefined, null, 5)],
    "stream-empty": () => [stream()],
    "stream-root": () => stream("only"),
    "stream-strings": () => [stream("C", "C1", "$1", "")],
    "stream-parts": () => [stream(new Map([["a", 1]]), new Set([2]), form(["k", "v"]), new Uint8Array([1, 2]))],
    "stream-references": () => [stream(reference("a1"), bound("b1", 1))],
    "stream-two": () => [stream(1, 2), stream("x")],
    "stream-in-map": () => [new Map([["s", stream(1)]]), 2],
    "stream-in-promise": () => [Promise.resolve({ s: stream(1) })],
    "stream-in-stream": () => [stream(stream("inner"), "outer")],
    "stream-id-10": () => [nineSets(), stream("ten"), form(["f", "v"])],
    "stream-bytes": () => [byteStream([1, 2, 3], [4])],
    "stream-bytes-empty": () => [byteStream()],
    "iterable": () => [iterable(["a", { b: 2n }, undefined])],
    "iterable-returns": () => [iterable([1], { done: "yes" })],
    "iterable-returns-map": () => [iterable([1], new Map([["k", form(["a", "b"])]]))],
    "iterator": () => [iterable([1, "two"], 3)[Symbol.asyncIterator]()],
    "iterator-empty": () => [iterable([])[Symbol.asyncIterator]()],
    "iterator-of-strings": () => [iterable(["C", "C"], "C")[Symbol.asyncIterator]()],

    "promise": () => [Promise.resolve({ a: [1, undefined] })],
    "promise-nested": () => [Promise.resolve({ p: Promise.resolve({ q: Promise.resolve("deep") }) })],
    "map": () => [new Map([[1, "n"], ["1", "s"], [null, undefined], [NaN, -0], [{ k: 1 }, new Map()]])],
    "map-shared": () => shared(new Map([["k", 1]])),
    "set": () => [new Set([1, "1", null, undefined, NaN, new Set()])],
    "sets-over-16": () => [Array.from({ length: 20 }, (_, at) => new Set([at]))],
    "iterator-sync": () => [[1, { a: 2 }, 3][Symbol.iterator]()],
    "date": () => [new Date(0), new Date("2026-02-03T04:05:06.789Z"), new Date(8.64e15)],
    "bigint": () => [0n, -1n, 123456789012345678901234567890n],
    "numbers": () => [NaN, Infinity, -Infinity, -0, 0, 1e21, 5e-324],
    "undefined": () => [1, undefined, 3],
    "strings": () => ["$", "$$", "$1", "$undefined", "@1", "\ud800", "\u2028", "😀", "\ufeffx"],
    "keys": () => [{ "": 1, $: 2, $1: 3, "a:b": 4, length: 5, 7: 6, then: "x" }],
    "bytes": () => [new Uint8Array([0, 127, 255]), new Float64Array([Math.PI]), new BigInt64Array([-1n]), new Uint8Array([1, 2]).buffer],
    "blob": () => [new File(["hi"], "blob", { type: "text/plain" }), new File(["x"], "n.txt", { type: "text/x" })],
    "shared": () => shared({ x: [1] }),
    "shared-with-map": () => holder((self) => self.push(new Map([["o", self[0]]])), [{ id: 7 }]),
    "cycle": () => [holder((self) => (self.self = self))],
    "cycle-parents": () => [holder((self) => (self.children = [{ parent: self }, { parent: self }]))],
    "all": () => [{ s: "$x", at: new Date(1) }, new Map([["m", new Set([1n])]]), new Uint8Array([1]), Promise.resolve([NaN]), form(["f", "v"]), bound("b1", stream("s")), stream(form(["g", "w"])), iterable([reference("a1")], null)],
  };
}

const shared = (value) => [value, { again: value }];
const nineSets = () => Array.from({ length: 9 }, (_, at) => new Set([at]));
const fifteenSets = () => Array.from({ length: 15 }, (_, at) => new Set([at]));

function holder(fill, value = {}) {
  fill(value);
  return value;
}

function form(...entries) {
  const form = new FormData();
  for (const [name, value] of entries) form.append(name, value);
  return form;
}

function stream(...items) {
  return new ReadableStream({
    start(controller) {
      for (const item of items) controller.enqueue(item);
      controller.close();
    },
  });
}

function byteStream(...chunks) {
  return new ReadableStream({
    type: "bytes",
    start(controller) {
      for (const chunk of chunks) controller.enqueue(Uint8Array.from(chunk));
      controller.close();
    },
  });
}

function iterable(items, result) {
  return {
    async *[Symbol.asyncIterator]() {
      yield* items;
      return result;
    },
  };
}
