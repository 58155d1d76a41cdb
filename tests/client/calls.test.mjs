// What a call can end in, as React's client sees it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import http from "node:http";
import { after, before, describe, test } from "node:test";

import { binary, eventually, references, start } from "../support/program.mjs";
import { UnrecognizedActionError, client, encodeReply } from "../support/react.mjs";

let node;
let known;
let react;
let actions;

before(async () => {
  node = await start(binary("workload"));
  known = await references(node);
  react = client(node.url);
  actions = react.actions(known);
});
after(() => node.stop());

const outcome = () => react.last.headers.get("callboard-outcome");

describe("an action that ends well", () => {
  test("gives its value", async () => {
    assert.equal(await actions.add(1, 2.5), 3.5);
    assert.equal(react.last.status, 200);
    assert.equal(outcome(), "done");
    assert.equal(react.last.headers.get("content-type"), "text/x-component");
    assert.equal(react.last.headers.get("cache-control"), "no-cache, no-store, max-age=0, must-revalidate");
  });

  test("may take its time while others are answered", async () => {
    const order = [];
    const slow = actions.sleep(400).then((ms) => order.push(ms));
    await Promise.all(Array.from({ length: 20 }, async (_, at) => order.push(await actions.add(at, 0))));
    assert.equal(order.length, 20);
    await slow;
    assert.equal(order.at(-1), 400);
  });

  test("is one of fifty at the same time, and each gets its own answer", async () => {
    const sums = await Promise.all(Array.from({ length: 50 }, (_, at) => actions.add(at, at)));
    assert.deepEqual(sums, Array.from({ length: 50 }, (_, at) => 2 * at));
  });

  test("can be called with arguments bound by the client", async () => {
    const addFive = actions.add.bind(null, 5);
    assert.equal(await addFive(2), 7);
    assert.equal(await addFive.bind(null, 3)(), 8);
  });

  test("can be an argument itself, and comes back callable", async () => {
    const [add, addTwo] = await actions.echo(actions.add, actions.add.bind(null, 2));
    assert.equal(await add(1, 1), 2);
    assert.equal(await addTwo(40), 42);
  });

  test("takes an upload", async () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, at) => at % 251);
    const got = await actions.upload(new File([bytes], "data.bin", { type: "application/x-data" }));
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    assert.deepEqual({ ...got, first: [...got.first] }, { name: "data.bin", media_type: "application/x-data", bytes: 100_000, first: [...bytes.subarray(0, 16)], sha256 });
  });
});

describe("an action that ends badly", () => {
  test("throws an error with the digest its author made public", async () => {
    const error = await actions.fail("out-of-stock").catch((error) => error);
    assert.deepEqual(JSON.parse(error.digest), { code: "out-of-stock", message: "failed with out-of-stock" });
    assert.equal(react.last.status, 500);
    assert.equal(outcome(), "failed");
  });

  test("keeps what is private out of the answer and in the log", async () => {
    const error = await actions.fail_privately("the password is swordfish").catch((error) => error);
    assert.ok(error.digest);
    assert.ok(!JSON.stringify([error.digest, error.message, error.stack]).includes("swordfish"));
    await eventually(() => node.log().includes("swordfish"));
  });

  test("panics, and the node goes on", async () => {
    const error = await actions.panic_now().catch((error) => error);
    assert.equal(error.digest, "action-panicked");
    assert.equal(react.last.status, 500);
    assert.equal(outcome(), "failed");
    assert.equal(react.last.headers.get("x-action-revalidated"), "1", "what it had written before is stale all the same");
    assert.equal(await actions.add(1, 1), 2);
  });

  test("answers 404 where it asks for that", async () => {
    const error = await actions.not_found().catch((error) => error);
    assert.equal(error.digest, "NEXT_HTTP_ERROR_FALLBACK;404");
    assert.equal(react.last.status, 404);
  });

  test("is told apart from one that is not there", async () => {
    const missing = known.add.slice(0, -1) + (known.add.endsWith("0") ? "1" : "0");
    await assert.rejects(react.action(missing)(1, 2), UnrecognizedActionError);
  });

  test("is answered 504 at its deadline, and nobody says that it did not run", async () => {
    await assert.rejects(actions.sleep_briefly(1_500), /the action still ran/);
    assert.equal(react.last.status, 504);
    assert.equal(outcome(), "unknown");
    assert.ok(react.last.headers.get("callboard-call-id"));
  });
});

describe("what an action asks for", () => {
  test("is a redirect, in the header that the router reads", async () => {
    await actions.redirect_to("/live?a=1;b=ä");
    assert.equal(react.last.status, 200);
    assert.equal(react.last.headers.get("x-action-redirect"), "/live?a=1%3Bb=%C3%A4;push");
  });

  test("is a cookie that nobody can forge or read", async () => {
    await actions.set_cookie("flavour", "plain & sweet");
    const set = react.last.headers.getSetCookie();
    assert.equal(set.length, 3);
    const pairs = set.map((cookie) => cookie.split(";")[0]);
    const [, , secret] = pairs;
    assert.ok(!decodeURIComponent(secret).includes("sweet"));

    const read = async (cookies) => {
      const { read_cookie } = client(node.url, { headers: { cookie: cookies.join("; "), "sec-fetch-site": "same-origin" } }).actions(known);
      return read_cookie("flavour");
    };
    assert.deepEqual(await read(pairs), { plain: "plain & sweet", signed: "plain & sweet", private: "plain & sweet" });
    const altered = pairs.map((pair) => pair.slice(0, -2) + (pair.endsWith("AA") ? "BB" : "AA"));
    const { signed, private: sealed } = await read(altered);
    assert.deepEqual([signed ?? null, sealed ?? null], [null, null]);
  });

  test("is a revalidation: the next page is a new one", async () => {
    const page = async () => (await fetch(`${node.url}/tag/news`)).text();
    const render = async () => /id="render">(\d+)</.exec(await page())[1];
    const before = await render();
    assert.equal(await render(), before, "it is kept");
    const count = await actions.bump("news");
    assert.equal(react.last.headers.get("x-action-revalidated"), "1");
    assert.match(react.last.headers.get("callboard-revalidated-at"), /^\d/);
    assert.match(await page(), new RegExp(`id="count">${count}<`));
    assert.notEqual(await render(), before);
  });

  test("is nothing, and then no header says so", async () => {
    await actions.add(1, 1);
    assert.equal(react.last.headers.get("x-action-revalidated"), null);
    assert.equal(react.last.headers.get("callboard-revalidated-at"), null);
  });
});

describe("calls that may not overlap", () => {
  test("of one key run one after the other, those of another beside them", async () => {
    const calls = ["left", "left", "left", "right", "right", "right"].map((key) => actions.keyed_counter(key, 20));
    const counts = await Promise.all(calls);
    assert.deepEqual([counts.slice(0, 3).sort(), counts.slice(3).sort()], [[1, 2, 3], [1, 2, 3]]);
  });

  test("of a serial action run one after the other", async () => {
    const counts = await Promise.all([1, 2, 3].map(() => actions.serial_counter(20)));
    assert.deepEqual(counts.sort(), [1, 2, 3]);
  });
});

test("a client that goes away cancels its call", { timeout: 30_000 }, async () => {
  const gone = new AbortController();
  const { until_cancelled } = client(node.url, { signal: gone.signal }).actions(known);
  const call = until_cancelled("gone").catch((error) => error.name);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(await actions.read_counter("gone"), 0);
  gone.abort();
  assert.equal(await call, "AbortError");
  await eventually(async () => (await actions.read_counter("gone")) === 1);
});

test("a connection lives on after a call that was refused", async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const ports = [];
  const post = (reference, body) =>
    new Promise((resolve, reject) => {
      const request = http.request(node.url, { method: "POST", agent, headers: { "next-action": reference, "content-type": "text/plain;charset=UTF-8" } }, (response) => {
        ports.push(response.socket.localPort);
        response.resume().on("end", () => resolve(response.statusCode));
      });
      request.on("error", reject).end(body);
    });
  const right = await encodeReply([1, 2]);
  assert.deepEqual(
    [await post(known.add, right), await post(known.add, "[1"), await post("x", right), await post(known.add, "x".repeat(2_000_000)), await post(known.add, right)],
    [200, 400, 400, 413, 200],
  );
  assert.deepEqual(new Set(ports).size, 1, `ports ${ports}`);
  agent.destroy();
});
