// The corpus of hostile bodies: each is answered with its status and words, runs nothing, and harms nobody after it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { echoed, families, request } from "../support/hostile.mjs";
import { binary, references, start } from "../support/program.mjs";
import { Connection } from "../support/raw.mjs";
import { sealedReference } from "../support/sealed.mjs";

const CASES_MIN = 150;

let node;
let stranger;
let known;
let names;
let connection;
let slowest = { ms: 0 };

before(async () => {
  const env = { CALLBOARD_KEYS: `7:${Buffer.alloc(32, 7).toString("base64")}` };
  node = await start(binary("workload"), { env });
  stranger = await start(binary("guestbook"), { env });
  known = await references(node);
  const [foreign] = Object.values(await references(stranger));
  const { seal } = await sealedReference(node.url, "/sealed");
  const signed = Object.entries(known).map(([name, reference]) => [`ref:${name}`, reference]);
  names = { ...Object.fromEntries(signed), foreign, seal, host: new URL(node.url).host };
  connection = new Connection(node.url);
});
after(() => {
  connection?.close();
  return Promise.all([node?.stop(), stranger?.stop()]);
});

/** Sends on the one connection that all cases share. */
async function send(headers, body) {
  connection.send("POST", "/", headers, body);
  return connection.answer();
}

for (const { name: family, cases } of families) {
  describe(family, () => {
    for (const hostile of cases) {
      test(hostile.name, { timeout: 30_000 }, async () => {
        const { status, error = null, text } = hostile;
        const sent = request(hostile, names);
        const started = performance.now();
        const answer = await send(sent.headers, sent.body).catch((error) => {
          // The next case is not to blame.
          connection = new Connection(node.url);
          throw error;
        });
        const ms = performance.now() - started;
        if (ms > slowest.ms) slowest = { ms, name: `${family}: ${hostile.name}` };

        assert.equal(`${answer.status} ${answer.headers.get("callboard-error")}`, `${status} ${error}`, answer.text.slice(0, 400));
        const words = answer.headers.get("content-type").startsWith("text/html") ? answer.text.replaceAll("&quot;", '"') : answer.text;
        assert.ok(words.includes(text), `${JSON.stringify(words.slice(0, 400))} does not say ${JSON.stringify(text)}`);
        if (status !== 200) {
          assert.equal(answer.headers.get("callboard-outcome"), "not-run");
          assert.equal(echoed(answer.text, sent), null, "more than 64 bytes of the request are repeated");
        }

        const next = await send({ "next-action": known.add, "content-type": "text/plain" }, "[20,22]").catch((error) => {
          connection = new Connection(node.url);
          throw error;
        });
        assert.equal(next.status, 200, "the next call on the same connection");
        assert.match(next.text, /1:42\n/);
      });
    }
  });
}

test("the corpus is large, and most of it is refused", (t) => {
  const refused = families.flatMap(({ cases }) => cases).filter(({ status }) => status !== 200);
  t.diagnostic(`${refused.length} bodies are refused; the slowest answer took ${slowest.ms.toFixed(1)} ms (${slowest.name})`);
  assert.ok(refused.length >= CASES_MIN, `${refused.length} cases`);
  const named = families.map(({ name, cases }) => cases.map((hostile) => `${name}: ${hostile.name}`)).flat();
  assert.equal(new Set(named).size, named.length, "a name stands for one case");
});

test("through all of it, nothing panicked", () => {
  assert.doesNotMatch(node.log(), /panicked/i);
});
