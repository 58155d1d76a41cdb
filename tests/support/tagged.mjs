// The notation of the golden vectors: any JavaScript value as JSON in which every object has a tag `t`. What it looks
// like is described in docs/PROTOCOL.md.

const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const PENDING = Symbol("pending");

/**
 * A value in tagged JSON. Iterators and streams in it are read to their ends.
 *
 * `reference` says what a function is: `{ id, bound }` of a server reference, else `undefined`. What does not settle
 * within `pendingMs` is called pending.
 */
export async function describe(root, { reference = () => undefined, pendingMs = 300 } = {}) {
  const nodes = new Map(); // By object, so that what is met twice is known to be one.

  async function inTime(promise) {
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, pendingMs, PENDING)));
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async function all(values) {
    const described = [];
    for (const value of values) described.push(await visit(value));
    return described;
  }

  async function pairs(entries) {
    const described = [];
    for (const [key, value] of entries) described.push([await visit(key), await visit(value)]);
    return described;
  }

  async function visit(value) {
    const known = nodes.get(value);
    if (known) {
      known.uses += 1;
      return known;
    }
    const leaf = scalar(value);
    if (leaf !== undefined) return { leaf };
    const node = { uses: 1 };
    // A date that is used twice is sent twice, so dates never count as shared.
    if (!(value instanceof Date)) nodes.set(value, node);
    node.emit = await shape(value);
    return node;
  }

  async function shape(value) {
    if (typeof value === "function") {
      const found = await reference(value);
      if (!found) return () => ({ t: "function" });
      const bound = found.bound && (await all(found.bound));
      return (emit) => ({ t: "server_ref", id: found.id, bound: bound && bound.map(emit) });
    }
    if (Array.isArray(value)) {
      const items = await all(value);
      return (emit) => items.map(emit);
    }
    if (value instanceof Date) {
      const ms = value.getTime();
      return () => (Number.isNaN(ms) ? { t: "date", ms: null, iso: null } : { t: "date", ms, iso: value.toISOString() });
    }
    if (isBytes(value)) return () => ({ t: "bytes", type: className(value), b64: base64(value) });
    if (value instanceof Blob) return blob(value);
    if (value instanceof Promise) return promise(value);
    if (value instanceof Error) return () => ({ t: "error" });
    if (value instanceof ReadableStream) return stream(value);
    if (typeof value[Symbol.asyncIterator] === "function") return asyncItems(value);
    return collection(value);
  }

  async function collection(value) {
    const entries = (of) => (emit) => of.map(([key, item]) => [emit(key), emit(item)]);
    const keyed = async (t, of) => {
      const write = entries(await pairs(of));
      return (emit) => ({ t, entries: write(emit) });
    };
    if (value instanceof Map) return keyed("map", value);
    if (value instanceof FormData) return keyed("formdata", value);
    if (value instanceof Set) {
      const values = await all(value);
      return (emit) => ({ t: "set", values: values.map(emit) });
    }
    if (typeof value[Symbol.iterator] === "function") {
      const items = await all(value);
      return (emit) => ({ t: "iterator", items: items.map(emit) });
    }
    if (value.$$typeof === Symbol.for("react.transitional.element")) {
      const [type, key, props] = await all([value.type, value.key, value.props]);
      return (emit) => ({ t: "element", type: emit(type), key: emit(key), props: emit(props) });
    }
    const prototype = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) return keyed("object", Object.entries(value));
    return () => ({ t: "opaque", class: className(value) });
  }

  async function blob(value) {
    const b64 = base64(await value.arrayBuffer());
    return () => (value instanceof File ? { t: "file", name: value.name, type: value.type, b64 } : { t: "blob", type: value.type, b64 });
  }

  async function promise(value) {
    const settled = await inTime(Promise.resolve(value).then((result) => ({ result }), (error) => ({ error })));
    if (settled === PENDING) return () => ({ t: "promise", status: "pending" });
    if ("error" in settled) return () => ({ t: "promise", status: "rejected", ...digest(settled.error) });
    const result = await visit(settled.result);
    return (emit) => ({ t: "promise", status: "resolved", value: emit(result) });
  }

  /** What `next` gives until it is done, and how it ended. */
  async function drain(next) {
    const items = [];
    for (;;) {
      let step;
      try {
        step = await inTime(next());
      } catch (error) {
        return { items, end: { status: "errored", ...digest(error) } };
      }
      if (step === PENDING) return { items, end: { status: "pending" } };
      if (step.done) return { items, end: { status: "closed" }, result: await visit(step.value) };
      items.push(await visit(step.value));
    }
  }

  async function stream(value) {
    const bytes = isByteStream(value);
    const reader = value.getReader();
    const { items, end } = await drain(() => reader.read());
    if (!bytes) return (emit) => ({ t: "stream", kind: "values", items: items.map(emit), ...end });
    // Where one chunk ends and the next begins is nobody's promise.
    return (emit) => ({ t: "stream", kind: "bytes", b64: Buffer.concat(items.map((item) => Buffer.from(emit(item).b64, "base64"))).toString("base64"), ...end });
  }

  async function asyncItems(value) {
    const iterator = value[Symbol.asyncIterator]();
    const t = iterator === value ? "async_iterator" : "async_iterable";
    const { items, end, result } = await drain(async () => iterator.next());
    return (emit) => ({ t, items: items.map(emit), ...(result && { return: emit(result) }), ...end });
  }

  return numbered(await visit(root));
}

/** The JSON of what was visited, in which what is met twice is defined where it is met first. */
function numbered(root) {
  const names = new Map();
  const emit = (node) => {
    if ("leaf" in node) return node.leaf;
    if (node.uses < 2) return node.emit(emit);
    if (names.has(node)) return { t: "ref", id: names.get(node) };
    const id = names.size + 1;
    names.set(node, id);
    return { t: "def", id, v: node.emit(emit) };
  };
  return emit(root);
}

function scalar(value) {
  switch (typeof value) {
    case "undefined": return { t: "undefined" };
    case "boolean": return value;
    case "string": return text(value);
    case "number": return Number.isFinite(value) && !Object.is(value, -0) ? value : { t: "number", v: Object.is(value, -0) ? "-0" : String(value) };
    case "bigint": return { t: "bigint", v: String(value) };
    case "symbol": return { t: "symbol", key: Symbol.keyFor(value) ?? null };
    default: return value === null ? null : undefined;
  }
}

/** A string: as it is, as UTF-16 units where JSON in UTF-8 cannot hold it, or shortened where it repeats itself. */
export function text(value) {
  if (value.length > 4096) {
    for (const size of [1, 2, 3, 4, 5, 6, 7, 8, 10, 16]) {
      const unit = value.slice(0, size);
      const repeats = value.length % size === 0 && unit.repeat(value.length / size) === value;
      if (repeats && !LONE.test(unit)) return { t: "repeat", unit, count: value.length / size };
    }
  }
  return LONE.test(value) ? { t: "utf16", units: Array.from(value.split(""), (unit) => unit.charCodeAt(0)) } : value;
}

/** Whether it is a stream of bytes. Asking is harmless. */
export function isByteStream(stream) {
  try {
    stream.getReader({ mode: "byob" }).releaseLock();
    return true;
  } catch {
    return false;
  }
}

const isBytes = (value) => value instanceof ArrayBuffer || ArrayBuffer.isView(value);
const className = (value) => Object.prototype.toString.call(value).slice(8, -1);
const base64 = (bytes) => (bytes instanceof ArrayBuffer ? Buffer.from(bytes) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString("base64");
const digest = (error) => (error?.digest === undefined ? {} : { digest: error.digest });
