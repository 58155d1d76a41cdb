// What no well-meaning client sends: each is answered with the right words, did not run, and the next call works.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { binary, eventually, references, start } from "../support/program.mjs";
import { client } from "../support/react.mjs";
import { Connection, multipart } from "../support/raw.mjs";
import { sealedReference } from "../support/sealed.mjs";

const MEGABYTE = 1 << 20;
const TEXT = { "content-type": "text/plain;charset=UTF-8" };

let node;
let stranger;
let known;
let foreign;

before(async () => {
  const keys = `7:${Buffer.alloc(32, 7).toString("base64")}`;
  node = await start(binary("workload"), { settings: { "body-timeout": "1s" }, env: { CALLBOARD_KEYS: keys } });
  known = await references(node);
  // The same keys, another application: its references are genuine, and its actions are not here.
  stranger = await start(binary("guestbook"), { env: { CALLBOARD_KEYS: keys } });
  [foreign] = Object.values(await references(stranger));
});
after(() => Promise.all([node?.stop(), stranger?.stop()]));

/** Sends one request on a connection of its own. */
async function send(headers, body, method = "POST", path = "/") {
  const connection = new Connection(node.url);
  connection.send(method, path, headers, body);
  const answer = await connection.answer();
  connection.close();
  return answer;
}

const call = (name, body, headers = TEXT) => send({ "next-action": known[name], ...headers }, body);
const parts = (list, options) => {
  const { type, body } = multipart(list, options);
  return { headers: { "content-type": type }, body };
};

/** The refusal of a call: status and code, exact type, nothing ran, and the text matches. */
function refused(answer, status, code, text) {
  assert.equal(`${answer.status} ${answer.headers.get("callboard-error")}`, `${status} ${code}`, answer.text);
  assert.equal(answer.headers.get("callboard-outcome"), "not-run");
  // The stock client shows the text of exactly this type.
  assert.equal(answer.headers.get("content-type"), "text/plain");
  assert.equal(answer.headers.get("cache-control"), "no-store");
  assert.match(answer.text, text);
  const isUnknown = ["not-an-action", "malformed-reference", "bad-signature", "unknown-action"].includes(code);
  assert.equal(answer.headers.get("x-nextjs-action-not-found"), isUnknown ? "1" : null);
}

/** Whatever was sent before, the node is as it was. */
async function worksStill() {
  const answer = await call("add", "[1,2]");
  assert.equal(answer.status, 200);
  assert.match(answer.text, /1:3\n/);
}

/** A test whose claim is followed by the proof that the node lives on. */
const hostile = (name, run, options = {}) =>
  test(name, { timeout: 30_000, ...options }, async (t) => {
    await run(t);
    await worksStill();
  });

describe("references", () => {
  hostile("that are missing are answered with a page for a person", async () => {
    const answer = await send(TEXT, "[1,2]");
    assert.equal(answer.status, 400);
    assert.equal(answer.headers.get("callboard-error"), "not-an-action");
    assert.equal(answer.headers.get("callboard-outcome"), "not-run");
    assert.equal(answer.headers.get("x-nextjs-action-not-found"), "1");
    assert.match(answer.headers.get("content-type"), /^text\/html/);
    assert.match(answer.text, /next-action/);
  });

  const malformed = {
    empty: [() => "", /^the reference has 0 characters, not 76$/],
    "of one letter, as bots send": [() => "x", /^the reference has 1 characters, not 76$/],
    "of stock Next": [() => "7f" + "a".repeat(40), /^the reference has 42 characters, not 76$/],
    "in upper case": [() => known.add.toUpperCase(), /^the reference has an upper-case digit at \d+$/],
    "with one digit in upper case": [() => known.add.slice(0, -1) + "A", /^the reference has an upper-case digit at 75$/],
    truncated: [() => known.add.slice(0, -1), /^the reference has 75 characters, not 76$/],
    "with a digit too many": [() => known.add + "0", /^the reference has 77 characters, not 76$/],
    "that are no hex": [() => known.add.slice(0, -1) + "g", /^the reference has a character that is not a hex digit at 75$/],
    "of eight thousand digits": [() => "a".repeat(8_000), /^the reference has 8000 characters, not 76$/],
    "named like members of every object": [() => "__proto__", /^the reference has 9 characters, not 76$/],
  };
  for (const [name, [make, text]] of Object.entries(malformed)) {
    hostile(`${name} are malformed`, async () => {
      refused(await send({ "next-action": make(), ...TEXT }, "[1,2]"), 400, "malformed-reference", text);
    });
  }

  hostile("with any one digit changed were not signed by us", async () => {
    for (let place = 2; place < known.add.length; place += 1) {
      const digit = (parseInt(known.add[place], 16) ^ 1).toString(16);
      const answer = await send({ "next-action": known.add.slice(0, place) + digit + known.add.slice(place + 1), ...TEXT }, "[1,2]");
      refused(answer, 400, "bad-signature", /^the reference was not signed with key \d+ of this ring$/);
    }
  });

  hostile("of the info byte changed are refused as well", async () => {
    for (const info of ["00", "01", "80", "ff"]) {
      const answer = await send({ "next-action": info + known.add.slice(2), ...TEXT }, "[1,2]");
      assert.equal(answer.status, 400);
      assert.equal(answer.headers.get("callboard-outcome"), "not-run");
      assert.equal(answer.headers.get("x-nextjs-action-not-found"), "1");
    }
  });

  hostile("that are genuine, of an action that is not here, are 409", async () => {
    refused(await send({ "next-action": foreign, ...TEXT }, "[1,2]"), 409, "unknown-action", /reload/);
  });
});

describe("bodies", () => {
  for (const type of ["application/x-www-form-urlencoded", "text/html", "application/octet-stream", "multipart/mixed; boundary=cut", "nonsense"]) {
    hostile(`of the type ${type} carry no arguments`, async () => {
      refused(await call("add", "[1,2]", { "content-type": type }), 400, "content-type", /text\/plain or multipart\/form-data/);
    });
  }

  hostile("of a megabyte are taken, and of one byte more are not", async () => {
    const exact = `["${"x".repeat(MEGABYTE - 4)}"]`;
    assert.equal((await call("echo", exact)).status, 200);
    refused(await call("echo", `${exact} `), 413, "body-too-large", /^the body is larger than 1048576 bytes$/);
  });

  hostile("that announce too much are refused before they arrive", async () => {
    const connection = new Connection(node.url);
    connection.write(`POST / HTTP/1.1\r\nhost: ${connection.host}\r\nnext-action: ${known.add}\r\ncontent-type: text/plain\r\ncontent-length: 999999999999\r\n\r\n`);
    refused(await connection.answer(), 413, "body-too-large", /1048576/);
    connection.close();
  });

  hostile("that stream too much are refused, and the connection lives", async () => {
    const connection = new Connection(node.url);
    connection.write(`POST / HTTP/1.1\r\nhost: ${connection.host}\r\nnext-action: ${known.add}\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n`);
    const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
    for (let sent = 0; sent < 32; sent += 1) connection.write(chunk);
    connection.write("0\r\n\r\n");
    refused(await connection.answer(), 413, "body-too-large", /1048576/);
    connection.send("POST", "/", { "next-action": known.add, ...TEXT }, "[20,22]");
    assert.match((await connection.answer()).text, /1:42\n/);
    connection.close();
  });

  hostile("that come too slowly are refused, and the connection ends", async () => {
    const connection = new Connection(node.url);
    const { type } = multipart([]);
    connection.write(`POST / HTTP/1.1\r\nhost: ${connection.host}\r\nnext-action: ${known.add}\r\ncontent-type: ${type}\r\ncontent-length: 1000\r\n\r\n--cut\r\n`);
    const drip = setInterval(() => connection.write("c"), 100);
    refused(await connection.answer(), 400, "body-incomplete", /within 1s/);
    clearInterval(drip);
    assert.equal(await connection.closes(), true);
    connection.close();
  });

  hostile("that end early, because the client hung up, run nothing", async () => {
    const count = () => client(node.url).actions(known).read_counter("cut");
    const connection = new Connection(node.url);
    connection.write(`POST / HTTP/1.1\r\nhost: ${connection.host}\r\nnext-action: ${known.bump}\r\ncontent-type: text/plain\r\ncontent-length: 1000\r\n\r\n["cut"]`);
    connection.socket.end();
    await connection.closes();
    connection.close();
    assert.equal(await count(), 0);
  });
});

describe("multipart bodies", () => {
  const sum = [["0", "[1,2]"]];

  hostile("that are right are taken", async () => {
    const { headers, body } = parts(sum);
    assert.match((await call("add", body, headers)).text, /1:3\n/);
  });

  hostile("without their last boundary are incomplete", async () => {
    const { headers, body } = parts(sum, { end: false });
    refused(await call("add", body, headers), 400, "body-incomplete", /ended within part 1/);
  });

  hostile("that were cut anywhere are refused", async () => {
    const { headers, body } = parts([["1", "{}"], ["0", '["$1",2]']]);
    for (let length = 0; length < body.length - 2; length += 7) {
      const answer = await call("echo", body.slice(0, length), headers);
      assert.ok(answer.status === 400 && answer.headers.get("callboard-outcome") === "not-run", `${length}: ${answer.status}`);
    }
  });

  hostile("without a boundary in their type are malformed", async () => {
    const { body } = parts(sum);
    refused(await call("add", body, { "content-type": "multipart/form-data" }), 400, "malformed-multipart", /boundary/);
  });

  hostile("whose boundary is another one are malformed", async () => {
    const { body } = parts(sum);
    const answer = await call("add", body, { "content-type": "multipart/form-data; boundary=other" });
    assert.equal(answer.status, 400);
    assert.equal(answer.headers.get("callboard-outcome"), "not-run");
  });

  hostile("with a part without a name are malformed", async () => {
    const body = '--cut\r\ncontent-disposition: form-data\r\n\r\n[1,2]\r\n--cut--\r\n';
    refused(await call("add", body, { "content-type": "multipart/form-data; boundary=cut" }), 400, "malformed-multipart", /part 1/);
  });

  hostile("with the root twice do not run twice", async () => {
    const { headers, body } = parts([["0", '["twice"]'], ["0", '["twice"]']]);
    const answer = await call("bump", body, headers);
    assert.ok([200, 400].includes(answer.status), answer.text);
    assert.ok((await client(node.url).actions(known).read_counter("twice")) <= 1);
  });

  hostile("without a root are malformed", async () => {
    const { headers, body } = parts([["1", "[1,2]"]]);
    refused(await call("add", body, headers), 400, "malformed-reply", /^the reference "root" names no part$/);
  });

  hostile("of twenty thousand parts are too many", async () => {
    const { headers, body } = parts(Array.from({ length: 20_000 }, (_, at) => [String(at + 1), ""]), { boundary: "c" });
    const answer = await call("add", body.slice(0, MEGABYTE - 10), headers);
    refused(answer, 400, "reply-limit", /parts/);
  });
});

describe("arguments", () => {
  for (const root of ["{}", '"text"', "5", "null", "true", '"$undefined"', '{"0":1,"length":1}']) {
    hostile(`with the root ${root} are no arguments`, async () => {
      refused(await call("echo", root), 400, "malformed-reply", /not an array/);
    });
  }

  hostile("in a map are no arguments", async () => {
    const { headers, body } = parts([["1", "[[0,1]]"], ["0", '"$Q1"']]);
    refused(await call("echo", body, headers), 400, "malformed-reply", /not an array/);
  });

  const broken = {
    "an empty body": ["", "not JSON: expected a value (part 0, byte 0)"],
    "an open bracket": ["[", "not JSON: expected a value (part 0, byte 1)"],
    "two values": ["[1][2]", "not JSON: expected the end (part 0, byte 3)"],
    "a bare word": ["[one]", "not JSON: expected a value (part 0, byte 1)"],
    "a trailing comma": ["[1,]", "not JSON: expected a value (part 0, byte 3)"],
    "a control character": ['["\u0001"]', "not JSON: expected no control character in a string (part 0, byte 2)"],
    "an unknown reference": ['["$5"]', 'the reference "5" names no part (part 0, byte 5)'],
    "themselves alone": ['"$0"', "the arguments are null, not an array"],
  };
  for (const [name, [body, text]] of Object.entries(broken)) {
    hostile(`that are ${name} are malformed`, async () => {
      const answer = await call("echo", body);
      assert.equal(answer.text, text);
      refused(answer, 400, "malformed-reply", /expected|names no part|not an array/);
    });
  }

  hostile("may be a thousand, and not one more", async () => {
    const numbers = (count) => JSON.stringify(Array.from({ length: count }, (_, at) => at));
    assert.equal((await call("echo", numbers(1000))).status, 200);
    refused(await call("echo", numbers(1001)), 400, "too-many-arguments", /1001 arguments, at most 1000/);
  });

  hostile("a hundred thousand levels deep are refused at the limit", async () => {
    for (const [open, close] of [["[", "]"], ['{"a":', "}"]]) {
      const body = `[${open.repeat(100_000)}1${close.repeat(100_000)}]`;
      refused(await call("echo", body), 400, "reply-limit", /depth/);
    }
  });

  hostile("through a chain of parts are refused at the same limit", async () => {
    const chain = Array.from({ length: 5_000 }, (_, at) => [String(at + 1), at === 4_999 ? "1" : `["$${(at + 2).toString(16)}"]`]);
    const { headers, body } = parts([...chain, ["0", '["$1"]']], { boundary: "c" });
    refused(await call("echo", body, headers), 400, "reply-limit", /depth/);
  });

  hostile("that are not UTF-8 are malformed", async () => {
    const body = Buffer.concat([Buffer.from('["'), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from('"]')]);
    refused(await call("echo", body), 400, "malformed-reply", /UTF-8/);
  });

  hostile("that reach for inherited members reach nothing", async () => {
    for (const path of ["__proto__:then", "constructor:constructor", "toString", "length:x"]) {
      const { headers, body } = parts([["1", "{}"], ["0", `["$1:${path}"]`]]);
      refused(await call("echo", body, headers), 400, "malformed-reply", /leads to no own member/);
    }
  });

  hostile("that would grow by repeated references are refused, not unpacked", async () => {
    // Forty lists, each with the next one twice: 2^40 lists where nothing can be shared.
    const twice = (at) => (at === 40 ? "[]" : `["$${(at + 1).toString(16)}","$${(at + 1).toString(16)}"]`);
    const doubling = Array.from({ length: 40 }, (_, at) => [String(at + 1), twice(at + 1)]);
    const { headers, body } = parts([...doubling, ["0", '["$1"]']]);
    const started = process.hrtime.bigint();
    refused(await call("count_lists", body, headers), 400, "argument-mismatch", /^argument 1/);
    assert.equal((await call("echo", body, headers)).status, 200, "shared, it is small");
    assert.ok(process.hrtime.bigint() - started < 5_000_000_000n);
  });

  hostile("with a number of ten thousand digits are refused", async () => {
    refused(await call("echo", `["$n${"9".repeat(10_000)}"]`), 400, "reply-limit", /bigint_chars_max = 300/);
  });

  const wrong = {
    "a missing argument": ["add", "[1]", /^argument 2: expected a number/],
    "a text for a number": ["add", '[1,"2"]', /^argument 2: expected a number/],
    "a member deep inside": ["order", '["ann",{"items":[{"price":1},{"price":2},{"price":3},{"price":"four"}]}]', /^argument 2, \.items\[3\]\.price: expected a number/],
    "a member that is missing": ["order", '["ann",{"items":[{}]}]', /^argument 2, \.items\[0\].*price/],
    "a lone surrogate in a text": ["order", '["\\ud800",{"items":[]}]', /^argument 1: /],
    "a cycle": ["order", '["ann",{"items":"$0:1"}]', /^argument 2/],
  };
  for (const [name, [action, body, text]] of Object.entries(wrong)) {
    hostile(`of another type are named, with the path: ${name}`, async () => {
      refused(await call(action, body), 400, "argument-mismatch", text);
    });
  }
});

describe("sealed arguments", () => {
  /** Calls what a page offers, with its seal as the first argument; `cookie` says who asks. */
  async function sealed(path, { change = (seal) => seal, as, cookie } = {}) {
    const { reference, seal } = await sealedReference(node.url, path, cookie);
    const who = cookie ? { cookie, "sec-fetch-site": "same-origin" } : {};
    return { reference, answer: await send({ "next-action": as ?? reference, ...TEXT, ...who }, JSON.stringify([change(seal), 2])) };
  }
  const words = /^what this page sealed is not valid here any more; reload the page$/;

  hostile("are opened for the action they were sealed for", async () => {
    const { answer } = await sealed("/sealed");
    assert.match(answer.text, /1:42\n/);
  });

  hostile("cannot be read", async () => {
    const { seal } = await sealedReference(node.url, "/sealed");
    assert.ok(!Buffer.from(seal, "base64url").toString("latin1").includes("40"));
  });

  hostile("that were altered anywhere are refused", async () => {
    const { seal } = await sealedReference(node.url, "/sealed");
    for (const place of [0, 2, Math.floor(seal.length / 2), seal.length - 3]) {
      const { answer } = await sealed("/sealed", { change: (seal) => seal.slice(0, place) + (seal[place] === "A" ? "B" : "A") + seal.slice(place + 1) });
      refused(answer, 400, "bad-seal", words);
    }
  });

  hostile("that were cut, or are empty, are refused", async () => {
    for (const length of [0, 10, 40]) {
      const { answer } = await sealed("/sealed", { change: (seal) => seal.slice(0, length) });
      refused(answer, 400, "bad-seal", words);
    }
  });

  hostile("that are missing, or no text, are refused", async () => {
    const { reference } = await sealedReference(node.url, "/sealed");
    for (const body of ["[]", "[1,2]", "[null,2]", "[{},2]"]) {
      refused(await send({ "next-action": reference, ...TEXT }, body), 400, "bad-seal", /sealed/);
    }
  });

  hostile("that expired are refused", async () => {
    const { answer } = await sealed("/sealed/expired");
    refused(answer, 400, "bad-seal", words);
  });

  hostile("of another action are refused", async () => {
    const { answer } = await sealed("/sealed", { as: known.multiply_sealed });
    refused(answer, 400, "bad-seal", words);
  });

  hostile("of another principal are refused, of the same one opened", async () => {
    const mine = await sealed("/sealed/own", { cookie: "name=ann" });
    assert.match(mine.answer.text, /1:42\n/);
    const { reference, seal } = await sealedReference(node.url, "/sealed/own", "name=ann");
    const theirs = await send({ "next-action": reference, ...TEXT, cookie: "name=ben", "sec-fetch-site": "same-origin" }, JSON.stringify([seal, 2]));
    refused(theirs, 400, "bad-seal", words);
  });

  hostile("of a guarded action are not even looked at without a principal", async () => {
    const { reference } = await sealedReference(node.url, "/sealed/own", "name=ann");
    const answer = await send({ "next-action": reference, ...TEXT }, "[");
    assert.equal(answer.status, 401);
    assert.equal(answer.headers.get("callboard-outcome"), "not-run");
    assert.match(answer.text, /1:E\{"digest":"NEXT_HTTP_ERROR_FALLBACK;401"\}/);
  });
});

describe("where a call comes from", () => {
  hostile("another site: 403", async () => {
    refused(await call("add", "[1,2]", { ...TEXT, origin: "https://evil.example" }), 403, "foreign-origin", /evil\.example/);
  });

  hostile("a sandboxed page, whose origin is null: 403", async () => {
    refused(await call("add", "[1,2]", { ...TEXT, origin: "null" }), 403, "foreign-origin", /^the call comes from "null", and this is "127\.0\.0\.1:\d+"$/);
  });

  hostile("a header that is no URL: 400", async () => {
    for (const origin of ["nonsense", "http://", "://x", "http://a b"]) {
      refused(await call("add", "[1,2]", { ...TEXT, origin }), 400, "malformed-origin", /^the Origin header is not a URL$/);
    }
  });

  hostile("nowhere, with a cookie: 403", async () => {
    refused(await call("add", "[1,2]", { ...TEXT, cookie: "a=b" }), 403, "foreign-origin", /^the call carries a cookie, but neither an origin nor a sec-fetch-site of this site$/);
  });

  hostile("elsewhere by the browser's own word, without an origin: 403", async () => {
    for (const more of [{ cookie: "a=b" }, {}]) {
      const answer = await call("add", "[1,2]", { ...TEXT, ...more, "sec-fetch-site": "cross-site" });
      refused(answer, 403, "foreign-origin", /^the call comes from another site, and does not say which$/);
    }
  });

  hostile("this site: answered", async () => {
    assert.equal((await call("add", "[1,2]", { ...TEXT, origin: node.url, cookie: "a=b" })).status, 200);
    assert.equal((await call("add", "[1,2]", { ...TEXT, cookie: "a=b", "sec-fetch-site": "same-origin" })).status, 200);
  });

  hostile("a forwarded host is not believed unless configured", async () => {
    refused(await call("add", "[1,2]", { ...TEXT, origin: "https://evil.example", "x-forwarded-host": "evil.example" }), 403, "foreign-origin", /evil\.example/);
  });
});

describe("methods", () => {
  hostile("GET with a reference is a page and runs nothing", async () => {
    const { read_counter } = client(node.url).actions(known);
    const answer = await send({ "next-action": known.bump }, undefined, "GET", "/live");
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get("content-type"), /^text\/html/);
    assert.equal(answer.headers.get("callboard-outcome"), null);
    const withBody = await send({ "next-action": known.bump, ...TEXT }, '["get"]', "GET", "/live");
    assert.equal(withBody.status, 200);
    assert.equal(await read_counter("get"), 0);
  });

  for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS", "BREW"]) {
    hostile(`${method} is not taken`, async () => {
      const answer = await send({ "next-action": known.add, ...TEXT }, "[1,2]", method);
      assert.equal(answer.status, 405);
      assert.equal(answer.headers.get("allow"), "GET, HEAD, POST");
      assert.equal(answer.headers.get("callboard-error"), "method-not-allowed");
    });
  }
});

hostile("a client that hangs up mid-call is noticed by its action", async () => {
  const { read_counter } = client(node.url).actions(known);
  const connection = new Connection(node.url);
  connection.send("POST", "/", { "next-action": known.until_cancelled, ...TEXT }, '["hung-up"]');
  await new Promise((resolve) => setTimeout(resolve, 200));
  connection.close();
  await eventually(async () => (await read_counter("hung-up")) === 1);
});

hostile("fifty connections that never finish their head hold up nobody", async () => {
  const idle = Array.from({ length: 50 }, () => new Connection(node.url));
  for (const connection of idle) connection.write("POST / HTTP/1.1\r\nhost: x\r\n");
  await worksStill();
  for (const connection of idle) connection.close();
});

test("through all of it, nothing panicked", () => {
  assert.doesNotMatch(node.log(), /panicked/i);
});
