// A page's data, as React's unmodified client reads them beside the HTML that a browser shows.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { binary, references, start } from "../support/program.mjs";
import { client, createFromFetch } from "../support/react.mjs";

/** A page's data, and the response that they came in. */
async function data(url, headers = {}) {
  const response = await fetch(url, { headers: { accept: "text/x-component", ...headers } });
  assert.equal(response.headers.get("content-type"), "text/x-component");
  return { response, value: await createFromFetch(Promise.resolve(response)) };
}

const render = (response) => response.headers.get("callboard-render");

describe("a page that tells its data", () => {
  let guestbook;
  let actions;

  before(async () => {
    guestbook = await start(binary("guestbook"));
    actions = client(guestbook.url).actions(await references(guestbook));
  });
  after(() => guestbook?.stop());

  async function sign(name, message) {
    const form = new FormData();
    form.set("name", name);
    form.set("message", message);
    // It leads on to the book, so it gives nothing.
    await actions["guestbook::actions::sign"](null, form);
  }

  test("is a value to React's client, and what an action changed is in the next one", async () => {
    const before = await data(guestbook.url);
    assert.deepEqual(before.value, { entries: [], number: 1, last: 1, entriesTotal: 0 });

    await sign("Ada", "$1 </script> ☃");
    const { response, value } = await data(guestbook.url);
    assert.notEqual(render(response), render(before.response));
    const [{ written, ...entry }] = value.entries;
    assert.deepEqual(entry, { id: 1, name: "Ada", message: "$1 </script> ☃" });
    assert.ok(written instanceof Date && Math.abs(Date.now() - written) < 60_000);
    assert.equal(value.entriesTotal, 1);
  });

  test("is one render with the HTML, kept once", async () => {
    await sign("Ben", "hello");
    const html = await fetch(guestbook.url, { headers: { accept: "text/html" } });
    const { response, value } = await data(guestbook.url);
    assert.equal(html.headers.get("content-type"), "text/html; charset=utf-8");
    assert.equal(render(response), render(html));
    assert.equal(response.headers.get("cache-status"), "callboard; hit");
    assert.ok((await html.text()).includes(`<li id="entry-${value.entries[0].id}">`));
    for (const one of [html, response]) assert.match(one.headers.get("vary"), /^accept(,|$)/);
  });

  test("is not sent again to a client that has it", async () => {
    const { response } = await data(guestbook.url);
    const again = await fetch(guestbook.url, { headers: { accept: "text/x-component", "if-none-match": response.headers.get("etag") } });
    assert.equal(again.status, 304);
  });

  test("comes compressed, as the client takes gzip", async () => {
    for (let number = 0; number < 10; number += 1) await sign("Carol", `${number} `.repeat(100));
    const plain = await data(guestbook.url, { "accept-encoding": "identity" });
    let last;
    do last = await data(guestbook.url, { "accept-encoding": "gzip" });
    while (last.response.headers.get("content-encoding") !== "gzip");
    assert.deepEqual(last.value, plain.value);
  });
});
