// The status page as whoever is on call sees it: three nodes, of which one dies; on a screen, on a phone, in the dark, by
// keyboard, and with a token.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import Ajv from "ajv/dist/2020.js";

import { launch, open } from "../support/browser.mjs";
import { startCluster, until } from "../support/cluster.mjs";
import { binary, root, start } from "../support/program.mjs";

// Kept, to be looked at.
const shots = path.join(root, "target/test-logs/status");
const schema = JSON.parse(readFileSync(path.join(root, "docs/status.schema.json"), "utf8"));
const validate = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true }).compile(schema);

let browser;
before(async () => {
  mkdirSync(shots, { recursive: true });
  browser = await launch();
});
after(() => browser?.close());

/** What `/status` says, once it has been held against its schema. */
async function status(node, headers = {}) {
  const answer = await fetch(`${node.admin}/status`, { headers });
  assert.equal(answer.status, 200);
  const told = await answer.json();
  assert.ok(validate(told), JSON.stringify(validate.errors, null, 1));
  return told;
}

async function caller(node) {
  const { actions } = await (await fetch(`${node.admin}/actions`)).json();
  const references = new Map(actions.map(({ name, reference }) => [name, reference]));
  return async (name, ...values) => {
    const headers = { "next-action": references.get(name), "content-type": "text/plain;charset=UTF-8" };
    const answer = await fetch(node.url, { method: "POST", headers, body: JSON.stringify(values) });
    await answer.arrayBuffer();
    return answer;
  };
}

describe("three nodes of one cluster", () => {
  let cluster;
  let one;
  let three;

  before(async () => {
    cluster = await startCluster(binary("workload"), 3);
    [one, , three] = cluster.nodes;
    const call = await caller(one);
    for (let key = 0; key < 40; key += 1) assert.equal((await call("keyed_counter", `key ${key}`, 1)).status, 200);
    assert.equal((await call("fail", "<b>&")).status, 500);
    // Longer than any of the others, also on a machine that has more to do.
    assert.equal((await call("sleep", 1000)).status, 200);
    await (await fetch(`${one.url}/tag/a`)).text();
  });
  after(() => cluster?.stop());

  async function opened(options = {}) {
    const seen = await open(browser, one.admin, { viewport: { width: 1280, height: 900 }, ...options });
    seen.requests = [];
    seen.page.on("request", (request) => seen.requests.push(request.url()));
    await seen.page.goto("/");
    await seen.page.getByRole("status").filter({ hasText: "live" }).waitFor();
    return seen;
  }

  test("what programs are told fits its schema, and is what happened", async () => {
    const told = await until("the last second is over", async () => {
      const told = await status(one);
      return told.last_minute.calls_per_s.some((calls) => calls > 0) && told;
    });
    const { node, calls, cluster, errors, slowest } = told;
    assert.equal(node.application, "workload");
    assert.equal(calls.outcomes.failed, 1);
    assert.equal(calls.outcomes.done, 41);
    assert.equal(cluster.slots.length, 1024);
    assert.equal(cluster.members.reduce((sum, member) => sum + member.slots, 0), 1024);
    assert.deepEqual(cluster.members.filter((member) => member.this).map((member) => member.member), [node.member]);
    const failed = errors.find(({ code }) => code === "action-failed");
    assert.match(failed.what, /^fail/);
    const slow = slowest.find(({ what }) => what.startsWith("sleep"));
    assert.ok(slow.took_ms >= 1000 && slow.parts.length >= 4, JSON.stringify(slow));
    for (const { from_ms, took_ms } of slow.parts) assert.ok(from_ms + took_ms <= slow.took_ms + 1, JSON.stringify(slow));
    const keys = told.settings.find(({ name }) => name === "keys");
    assert.deepEqual([keys.value, keys.is_default], ["(hidden)", false]);
    assert.ok(!JSON.stringify(told).includes("AQIDBAUG"));
  });

  test("needs nothing from elsewhere, and asks for nothing but its events", async () => {
    const { page, context, complaints, requests } = await opened();
    for (const url of requests) assert.ok([`${one.admin}/`, `${one.admin}/status/events`, "data:,"].includes(url), url);
    assert.deepEqual(complaints, []);
    await page.screenshot({ path: path.join(shots, "screen.png"), fullPage: true });
    await context.close();
  });

  test("without JavaScript it says the same, and asks to be loaded again", async () => {
    const { page, context } = await open(browser, one.admin, { javaScriptEnabled: false });
    await page.goto("/");
    assert.equal(await page.locator("#cluster tbody tr").count(), 3);
    assert.equal(await page.locator("noscript meta[http-equiv=refresh]").count(), 1);
    assert.ok(await page.getByRole("button", { name: "Pause" }).isHidden());
    await context.close();
  });

  test("by keyboard: past the links to the figures, and into each request's time line", async () => {
    const { page, context } = await opened();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the figures");
    const summary = page.locator("#slowest summary").first();
    await summary.focus();
    await page.keyboard.press("Enter");
    await page.locator("#slowest details[open] td").first().waitFor();
    const id = await page.evaluate(() => document.activeElement.id);
    const open = page.locator("#slowest details[open] summary");
    assert.equal(await open.getAttribute("id"), id);
    // A slower one comes: what is open stays open, and what has the focus keeps it.
    const call = await caller(one);
    await call("sleep", 3000);
    await page.waitForFunction((id) => document.querySelector("#slowest summary").id !== id, id);
    assert.deepEqual(await open.evaluateAll((summaries) => summaries.map((summary) => summary.id)), [id]);
    assert.equal(await page.evaluate(() => document.activeElement.id), id);
    await context.close();
  });

  test("paused, it stands still until it is told to go on", async () => {
    const { page, context } = await opened();
    const pause = page.getByRole("button", { name: "Pause" });
    await pause.focus();
    await page.keyboard.press("Enter");
    const before = await page.locator("#overview").innerHTML();
    // Its next event comes, and changes nothing.
    const told = page.waitForEvent("console", { predicate: (message) => message.text() === "told" });
    await page.evaluate(() => events.addEventListener("message", () => console.log("told"), { once: true }));
    await told;
    assert.equal(await page.locator("#overview").innerHTML(), before);
    await page.getByRole("button", { name: "Go on" }).press("Enter");
    await page.waitForFunction((before) => document.querySelector("#overview").innerHTML !== before, before);
    await context.close();
  });

  test("on a phone nothing is wider than the screen; in the dark it is dark", async () => {
    const { page, context } = await opened({ viewport: { width: 360, height: 780 }, colorScheme: "dark" });
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
    const [red, green, blue] = (await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).match(/\d+/g);
    assert.ok(Number(red) + Number(green) + Number(blue) < 150);
    await page.screenshot({ path: path.join(shots, "phone-dark.png") });
    await context.close();
  });

  test("when a node dies, the page says so by itself, and its slots have new owners", async () => {
    const { page, context, complaints } = await opened();
    const members = page.locator("#cluster tbody tr");
    await members.nth(2).waitFor();
    three.signal("SIGKILL");
    await members.nth(2).waitFor({ state: "detached" });
    assert.equal(await members.count(), 2);
    const told = await status(one);
    assert.equal(told.cluster.members.reduce((sum, member) => sum + member.slots, 0), 1024);
    assert.ok(!told.cluster.slots.includes(null));
    await page.screenshot({ path: path.join(shots, "one-died.png"), fullPage: true });
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test("when the node itself hangs or dies, the page says that what it shows is old", async () => {
    const { page, context } = await opened();
    const said = (text) => page.getByRole("status").filter({ hasText: text }).waitFor({ timeout: 30_000 });
    one.signal("SIGSTOP");
    await said("the node does not answer");
    // To go on is no answer.
    for (const name of ["Pause", "Go on"]) await page.getByRole("button", { name }).click();
    assert.match(await page.getByRole("status").textContent(), /does not answer/);
    one.signal("SIGCONT");
    await said("live");
    one.signal("SIGKILL");
    await said("the node does not answer");
    await context.close();
  });
});

test("a browser gives the token as a password, and a program as a bearer's", async (t) => {
  const token = "a token of some length";
  const node = await start(binary("workload"), { env: { CALLBOARD_ADMIN_TOKEN: token } });
  t.after(() => node.stop());
  const { page, context, complaints } = await open(browser, node.admin, { httpCredentials: { username: "anybody", password: token } });
  await page.goto("/");
  await page.getByRole("status").filter({ hasText: "live" }).waitFor();
  assert.ok(!(await page.content()).includes(token));
  assert.deepEqual(complaints, []);
  await context.close();
  assert.equal((await status(node, { authorization: `Bearer ${token}` })).node.state, "serving");
  for (const authorization of [undefined, `Basic ${btoa("anybody:wrong")}`, `Basic ${btoa(token)}`, "Basic !"]) {
    const answer = await fetch(`${node.admin}/`, { headers: authorization ? { authorization } : {} });
    assert.equal(answer.status, 401);
    assert.match(answer.headers.get("www-authenticate"), /^Basic /);
  }
});

test("more pages than may be watched at a time are turned away, and told", async (t) => {
  const node = await start(binary("workload"));
  t.after(() => node.stop());
  const watched = await Promise.all(Array.from({ length: 16 }, () => fetch(`${node.admin}/status/events`)));
  assert.deepEqual(watched.map((answer) => answer.status), Array(16).fill(200));
  const { page, context } = await open(browser, node.admin);
  await page.goto("/");
  await page.getByRole("status").filter({ hasText: "too many watch this node" }).waitFor();
  await context.close();
  // Nor does a page of another site take a place: it is told apart by what browsers say of it.
  assert.equal((await fetch(`${node.admin}/status/events`, { headers: { "sec-fetch-site": "cross-site" } })).status, 403);
  await watched[0].body.cancel();
  await until("there is room again", async () => (await fetch(`${node.admin}/status/events`)).status === 200);
  // Whoever watches does not keep it from stopping.
  assert.deepEqual(await node.stop(), { code: 0, signal: null });
});
