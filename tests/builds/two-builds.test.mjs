// What becomes of a page that is still open when another build of the application takes over.
import assert from "node:assert/strict";
import { test } from "node:test";

import { binary, references, start, temporaryFolder } from "../support/program.mjs";

/** Two builds of one source: ./test has cargo build the guestbook a second time, with other settings of the compiler. */
const builds = () => [binary("guestbook"), binary("guestbook_rebuilt")];

const post = (node, reference) =>
  fetch(node.url, { method: "POST", headers: { "next-action": reference, "content-type": "text/plain;charset=UTF-8" }, body: "[]" });

async function sign(node) {
  const [name] = Object.keys(await references(node)).filter((name) => /sign$/.test(name));
  return (await references(node))[name];
}

test("without a key ring, a new build knows the old one's references and asks to reload", async () => {
  const [first, second] = builds();
  const stateDir = temporaryFolder();

  const old = await start(first, { stateDir });
  const [oldAll, oldSign] = [await references(old), await sign(old)];
  await old.stop();
  const young = await start(second, { stateDir });
  const youngAll = await references(young);

  assert.notEqual(young.build, old.build);
  assert.deepEqual(Object.keys(youngAll), Object.keys(oldAll));
  for (const [name, reference] of Object.entries(oldAll)) assert.notEqual(youngAll[name], reference, name);

  const answer = await post(young, oldSign);
  assert.equal(answer.status, 409);
  assert.equal(answer.headers.get("x-nextjs-action-not-found"), "1");
  assert.equal(answer.headers.get("content-type"), "text/plain");
  assert.equal(answer.headers.get("callboard-error"), "unknown-action");
  assert.match(await answer.text(), /reload/);

  // Skew is told from forgery.
  const forged = await post(young, oldSign.slice(0, -1) + (oldSign.endsWith("0") ? "1" : "0"));
  assert.equal(`${forged.status} ${forged.headers.get("callboard-error")}`, "400 bad-signature");
  await young.stop();
});

test("without a key ring, the same build keeps its references over a restart", async () => {
  const [file] = builds();
  const stateDir = temporaryFolder();
  const once = await start(file, { stateDir });
  const before = await references(once);
  await once.stop();
  const again = await start(file, { stateDir });
  assert.deepEqual(await references(again), before);
  await again.stop();
});

test("without a key ring, an old build that comes back is itself again", async () => {
  const [first, second] = builds();
  const stateDir = temporaryFolder();
  const old = await start(first, { stateDir });
  const before = await references(old);
  await old.stop();
  await (await start(second, { stateDir })).stop();
  const back = await start(first, { stateDir });
  assert.deepEqual(await references(back), before);
  await back.stop();
});

test("with a key ring, references are the same from build to build, and on two machines", async () => {
  const [first, second] = builds();
  const env = { CALLBOARD_KEYS: `1:${Buffer.alloc(32, 1).toString("base64")}` };
  const [old, young] = [await start(first, { env }), await start(second, { env })];
  assert.notEqual(young.build, old.build);
  assert.deepEqual(await references(young), await references(old));
  assert.notEqual((await post(young, await sign(old))).status, 409);
  await Promise.all([old.stop(), young.stop()]);
});

test("with a rotated ring, references of the key before it are still good", async () => {
  const [file] = builds();
  const key = (id) => `${id}:${Buffer.alloc(32, id).toString("base64")}`;
  const before = await start(file, { env: { CALLBOARD_KEYS: key(1) } });
  const reference = await sign(before);
  await before.stop();

  const rotated = await start(file, { env: { CALLBOARD_KEYS: `${key(2)},${key(1)}` } });
  assert.notEqual(await sign(rotated), reference);
  assert.equal((await sign(rotated)).slice(0, 42), reference.slice(0, 42), "the action's id does not change");
  assert.notEqual((await post(rotated, reference)).headers.get("x-nextjs-action-not-found"), "1");
  await rotated.stop();

  const forgotten = await start(file, { env: { CALLBOARD_KEYS: key(2) } });
  assert.equal((await post(forgotten, reference)).status, 400);
  await forgotten.stop();
});
