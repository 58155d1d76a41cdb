// Values of every kind that arguments can be: random ones from a seed, and whether two of them are the same.

/** Random numbers of a seed (mulberry32). */
export function randomness(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (limit) => Math.floor(next() * limit);
  return { next, below, pick: (list) => list[below(list.length)] };
}

const ALPHABETS = [
  "abcdefghijklmnopqrstuvwxyz",
  "$@:\"\\\n\r\t\0\u001f\u2028 ",
  "äßñ漢字かな",
  "\ud800\udfff\udbff\udc00",
  ["😀", "👩‍🚀", "𝒳", "é", "\ufeff"],
];
const TYPED = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array];

/** The kinds of values beyond those that {@link randomValue} makes anyway. */
export const KINDS = ["blob", "formdata", "iterator", "promise", "stream", "bytestream", "iterable", "asynciterator"];

/** Of these, what is met again is lost on React's client. */
const ONCE = ["blob", "iterator", "stream", "bytestream", "iterable", "asynciterator"];

/**
 * A random value with at most about `size` values in it. Objects that are complete may occur again.
 *
 * With `kinds` it holds values of these kinds too, `KINDS` or any that `moreKinds` makes. `reference` makes
 * the server references, from a random number and bound arguments. `asArguments` leaves out what React's client loses:
 * what can be read once is sent once, and in streams nothing is shared (nor anywhere without `shares`).
 */
export function randomValue(random, size, { kinds = [], asArguments = false, shares = true, reference } = {}) {
  const complete = [];
  const budget = { left: size };
  const keep = (value) => {
    complete.push(value);
    return value;
  };

  function text() {
    const length = random.pick([0, 1, 3, 8, 8, 30, 1100]);
    const alphabet = random.pick(ALPHABETS);
    return Array.from({ length }, () => random.pick(alphabet)).join("");
  }

  function number() {
    return random.pick([0, -0, NaN, Infinity, -Infinity, 1, -1, 0.1, 5e-324, 1.7976931348623157e308, 2 ** 53, random.below(1e9), random.next(), -random.next() * 1e21]);
  }

  function scalar() {
    switch (random.below(8)) {
      case 0: return null;
      case 1: return undefined;
      case 2: return random.next() < 0.5;
      case 3: return BigInt.asIntN(random.pick([8, 64, 200]), BigInt(random.below(2 ** 31)) ** 6n) * random.pick([1n, -1n]);
      case 4: return new Date(random.below(4e12) - 1e12);
      case 5: case 6: return number();
      default: return text();
    }
  }

  function bytes() {
    const raw = Uint8Array.from({ length: 8 * random.below(9) }, () => random.below(256));
    switch (random.below(4)) {
      case 0: return raw.buffer;
      case 1: return new DataView(raw.buffer);
      default: return new (random.pick(TYPED))(raw.buffer);
    }
  }

  const list = (make) => Array.from({ length: random.below(5) }, make);
  const items = (depth) => list(() => value(depth + 1));

  function key() {
    // The client forgets where it sent what stands under a key with a colon; that has a test of its own.
    return random.pick(["a", "b", "then", "length", "0", "10", "", "constructor", text().replaceAll(":", "")]);
  }

  /** What is no promise, as a promise of one is the same promise. */
  function settled(depth) {
    for (;;) {
      const made = value(depth + 1);
      if (!(made instanceof Promise)) return made;
    }
  }

  function keyOf(item) {
    // The client never puts a function under this name, as it would look like a promise.
    const name = key();
    return name === "then" && typeof item === "function" ? "next" : name;
  }

  function value(depth) {
    budget.left -= 1;
    if (budget.left <= 0 || depth > 12) return scalar();
    if (kinds.length > 0 && random.below(5) === 0) {
      const kind = random.pick(kinds);
      const made = moreKinds[kind](more, depth);
      return asArguments && ONCE.includes(kind) ? made : keep(made);
    }
    switch (random.below(12)) {
      case 0: case 1: return keep(items(depth));
      case 2: case 3: case 4: return keep(Object.fromEntries(items(depth).map((item) => [keyOf(item), item])));
      case 5: return keep(new Map(items(depth).map((item) => [random.next() < 0.8 ? text() : value(depth + 1), item])));
      case 6: return keep(new Set(items(depth)));
      case 7: return bytes();
      case 8: return shares && complete.length > 0 ? random.pick(complete) : scalar();
      default: return scalar();
    }
  }

  const apart = (kinds) => randomValue(random, 8, { kinds, asArguments, shares: false, reference });
  // Bound arguments that a server gave are sent before everything else, but read after it, and React's own server loses
  // the entries of forms that are not read in the order in which they were sent.
  const bindable = kinds.filter((kind) => kind !== "formdata");
  const more = {
    random,
    reference,
    text,
    items,
    settled,
    blob: () => randomBlob(random),
    streamed: (depth) => (asArguments ? list(() => apart(kinds)) : items(depth)),
    bound: (depth) => (asArguments ? list(() => apart(bindable)) : items(depth)),
    returned: (depth) => (asArguments ? apart(kinds) : settled(depth)),
  };
  return value(0);
}

function randomBlob(random) {
  const bytes = Uint8Array.from({ length: random.below(40) }, () => random.below(256));
  const type = random.pick(["", "text/plain", "application/x-thing"]);
  // Where a name is lost, it is the one that a form gives to a blob.
  return random.below(2) ? new Blob([bytes], { type }) : new File([bytes], random.pick(["blob", "a.txt", "ä \"q\".bin"]), { type });
}

const digested = (random) => Object.assign(new Error("of the test"), { digest: String(random.below(1e6)) });

/** How values of further kinds are made. */
const moreKinds = {
  blob: ({ blob }) => blob(),
  formdata({ random, text, blob }) {
    const form = new FormData();
    for (let left = random.below(5); left > 0; left -= 1) {
      // A form's line ends become those of HTTP when it is sent: that has a test of its own.
      // A control character in a name is one in a header, which no server of HTTP takes.
      const name = random.pick(["a", "b", "", "1_a", "_1_", text().replace(/[\0-\x1f]/g, "")]);
      form.append(name, random.below(3) ? text().replace(/[\r\n]/g, "") : blob());
    }
    return form;
  },
  iterator: ({ items }, depth) => items(depth)[Symbol.iterator](),
  promise: ({ settled }, depth) => Promise.resolve(settled(depth)),
  stream: ({ streamed }, depth) => streamOf(streamed(depth)),
  bytestream({ random }) {
    const chunks = Array.from({ length: random.below(4) }, () => Uint8Array.from({ length: 1 + random.below(20) }, () => random.below(256)));
    return streamOf(chunks, "bytes");
  },
  iterable({ streamed, returned }, depth) {
    const [all, result] = [streamed(depth), returned(depth)];
    return {
      async *[Symbol.asyncIterator]() {
        for (const item of all) yield item;
        return result;
      },
    };
  },
  asynciterator: (tools, depth) => moreKinds.iterable(tools, depth)[Symbol.asyncIterator](),
  reference: ({ random, reference, bound }, depth) => reference(random.below(1000), random.below(2) ? bound(depth) : null),
  symbol: ({ text }) => Symbol.for(text()),
  error: () => new Error("of the test"),
  rejected({ random }) {
    const rejected = Promise.reject(digested(random));
    rejected.catch(() => {}); // Whoever uses it sees it.
    return rejected;
  },
  broken({ random }) {
    const error = digested(random);
    return new ReadableStream({ start: (controller) => controller.error(error) });
  },
};

function streamOf(items, type) {
  return new ReadableStream({
    type,
    start(controller) {
      for (const item of items) controller.enqueue(item);
      controller.close();
    },
  });
}

/**
 * Where two values differ, or `undefined`. Two values are the same if they look the same from the root, and if what is
 * one object in the one is one object in the other. Members that are `undefined` count as missing.
 */
export async function difference(left, right) {
  const there = new Map();
  const back = new Map();
  const queue = [[left, right, "value"]];

  for (let next = queue.pop(); next; next = queue.pop()) {
    const [a, b, path] = next;
    const differs = `${path}: ${show(a)} became ${show(b)}`;
    if (typeof a !== "object" || a === null) {
      if (!Object.is(a, b)) return differs;
      continue;
    }
    if (typeof b !== "object" || b === null || tag(a) !== tag(b)) return differs;
    // A date that is used twice is two dates to React, and bytes may be sent twice: nobody can tell.
    if (!(a instanceof Date) && !isBytes(a)) {
      if (there.has(a) !== back.has(b) || (there.has(a) && there.get(a) !== b)) return `${path}: shared on one side only`;
      if (there.has(a)) continue;
      there.set(a, b);
      back.set(b, a);
    }
    const children = await parts(a);
    const others = await parts(b);
    if (children.length !== others.length) return `${differs}: ${children.length} parts became ${others.length}`;
    children.forEach(([name, child], at) => queue.push([child, others[at][1], `${path}.${name}`], [name, others[at][0], `${path} (name)`]));
  }
  return undefined;
}

const tag = (value) => Object.prototype.toString.call(value);
const isBytes = (value) => value instanceof ArrayBuffer || ArrayBuffer.isView(value);
const show = (value) => {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "object" && value) return tag(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}… (${text.length})` : text;
};

/** The named parts of an object. */
async function parts(value) {
  if (Array.isArray(value)) return Array.from(value, (item, at) => [String(at), item]);
  if (value instanceof Map) return [...value].flatMap(([key, item], at) => [[`key${at}`, key], [`value${at}`, item]]);
  if (value instanceof Set) return [...value].map((item, at) => [`item${at}`, item]);
  if (value instanceof Date) return [["time", value.getTime()]];
  if (value instanceof ArrayBuffer) return [["bytes", hex(new Uint8Array(value))]];
  if (ArrayBuffer.isView(value)) return [["bytes", hex(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))]];
  if (value instanceof FormData) return [...value].map(([name, item]) => [name, item]);
  if (value instanceof Blob) {
    return [["name", value.name], ["type", value.type], ["bytes", hex(new Uint8Array(await value.arrayBuffer()))]];
  }
  if (typeof value.then === "function" && value instanceof Promise) {
    return [["settled", await value.then((fulfilled) => ({ fulfilled }), (error) => ({ rejected: error.digest ?? "" }))]];
  }
  return Object.entries(value).filter(([, item]) => item !== undefined).sort(([a], [b]) => (a < b ? -1 : 1));
}

const hex = (bytes) => Buffer.from(bytes).toString("hex");
