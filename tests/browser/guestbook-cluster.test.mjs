// Three guestbooks that keep one book: what is signed at one of them is in the book of all, while one of them is stopped, too.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";

import { launch, open } from "../support/browser.mjs";
import { startCluster } from "../support/cluster.mjs";
import { binary, temporaryFolder } from "../support/program.mjs";

let browser;
let cluster;
before(async () => {
  browser = await launch();
  const book = `sqlite://${path.join(temporaryFolder(), "book.db")}?mode=rwc`;
  cluster = await startCluster(binary("guestbook"), 3, {}, { DATABASE_URL: book });
});
after(async () => {
  await cluster?.stop();
  await browser?.close();
});

const holds = async (node, message) => (await (await fetch(node.url)).text()).includes(message);

/** Signs as a person without JavaScript would, and says whether the page that came shows it. */
async function sign(page, message) {
  await page.goto("/");
  await page.getByLabel("Name").fill("Ann");
  await page.getByLabel("Message").fill(message);
  await Promise.all([page.waitForNavigation(), page.getByRole("button", { name: "Sign the book" }).click()]);
  return page.getByText(message, { exact: true }).isVisible();
}

test("an entry is in every book once it is answered, while a node is stopped and when it goes on", async () => {
  const [one, two, three] = cluster.nodes;
  const { page, context } = await open(browser, one.url, { javaScriptEnabled: false });
  context.setDefaultTimeout(30_000);
  // So that each node has a page that it could serve.
  for (const node of cluster.nodes) assert.ok(!(await holds(node, "the first of all")));
  assert.ok(await sign(page, "the first of all"));
  for (const node of cluster.nodes) assert.ok(await holds(node, "the first of all"));

  three.signal("SIGSTOP");
  // Where the call is the stopped node's to run, nobody knows what became of the first one, and the page says so.
  const messages = [];
  do messages.push(`while one sleeps, ${messages.length}`);
  while (!(await sign(page, messages.at(-1))) && messages.length < 3);
  const last = messages.at(-1);
  for (const node of [one, two]) assert.ok(await holds(node, last), `${messages}`);
  three.signal("SIGCONT");
  assert.ok(await holds(three, last), "the first page of a node that slept is no old one");

  assert.ok(await sign(page, "after it awoke"));
  for (const node of cluster.nodes) assert.ok(await holds(node, "after it awoke"));
  await context.close();
});
