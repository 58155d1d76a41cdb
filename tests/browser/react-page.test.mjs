// A React page that another server gives, in a browser, whose actions this node runs. The page's server passes calls
// on, as a proxy does that keeps the public host to itself; so the node sees a call of another site, and lets it in
// because `allowed_origins` lists that site.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";

import { launch, open } from "../support/browser.mjs";
import { binary, references, start } from "../support/program.mjs";

const require = createRequire(import.meta.url);
// The files that `require` takes in production, and the names they are required by.
const MODULES = {
  react: "react/cjs/react.production.js",
  scheduler: "scheduler/cjs/scheduler.production.js",
  "react-dom": "react-dom/cjs/react-dom.production.js",
  "react-dom/client": "react-dom/cjs/react-dom-client.production.js",
  "react-server-dom-webpack/client": "react-server-dom-webpack/cjs/react-server-dom-webpack-client.browser.production.js",
};

/** Instead of a bundler: each module in a function, and a `require` that calls it once. */
function bundle() {
  const functions = Object.entries(MODULES).map(([name, file]) => {
    const folder = require.resolve(`${file.split("/")[0]}/package.json`).replace(/package\.json$/, "");
    const source = readFileSync(folder + file.slice(file.indexOf("/") + 1), "utf8");
    return `${JSON.stringify(name)}(require, module, exports) {${source}\n}`;
  });
  return `globalThis.__webpack_require__ = Object.assign(() => { throw new Error("no modules"); }, { u: (chunk) => chunk });
    globalThis.__webpack_chunk_load__ = () => Promise.resolve();
    const modules = {${functions.join(",\n")}};
    const loaded = {};
    function require(name) {
      if (!loaded[name]) {
        loaded[name] = { exports: {} };
        modules[name](require, loaded[name], loaded[name].exports);
      }
      return loaded[name].exports;
    }`;
}

/** What the page does: one form with `useActionState`, by nothing but React's own functions. */
const PAGE = (known) => `
  const { createElement: h, useActionState } = require("react");
  const { createRoot } = require("react-dom/client");
  const { createFromFetch, createServerReference, createTemporaryReferenceSet, encodeReply } = require("react-server-dom-webpack/client");
  async function callServer(reference, args) {
    const temporaryReferences = createTemporaryReferenceSet();
    const body = await encodeReply(args, { temporaryReferences });
    const response = fetch("/", { method: "POST", headers: { accept: "text/x-component", "next-action": reference }, body });
    return (await createFromFetch(response, { callServer, temporaryReferences })).a;
  }
  const echo = createServerReference(${JSON.stringify(known.echo)}, callServer);
  const add = createServerReference(${JSON.stringify(known.add)}, callServer);
  globalThis.actions = { echo, add };
  function Page() {
    const [sum, submit, pending] = useActionState(async (sum, form) => add(sum, Number(form.get("step"))), 40);
    return h("form", { action: submit }, h("input", { name: "step", defaultValue: "2" }), h("button", { disabled: pending }, "Add"), h("output", null, String(sum)));
  }
  createRoot(document.body.appendChild(document.createElement("main"))).render(h(Page));`;

/** Gives the page, and passes calls on to the node. */
function answer(node, script, request, response) {
  if (request.method === "POST") {
    const { host, ...headers } = request.headers;
    const passed = http.request(node.url, { method: "POST", headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    request.pipe(passed);
  } else if (request.url === "/page.js") {
    response.writeHead(200, { "content-type": "text/javascript" }).end(script);
  } else {
    const page = '<!doctype html><html lang="en"><title>neighbour</title><link rel="icon" href="data:,"><body><script src="/page.js"></script>';
    response.writeHead(200, { "content-type": "text/html" }).end(page);
  }
}

describe("a React page of another server", () => {
  let browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser?.close());

  /** Opens the page; the node lets its calls in or does not. */
  async function visit({ allowed }, run) {
    let node;
    let script;
    const server = http.createServer((request, response) => answer(node, script, request, response));
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address();
    node = await start(binary("workload"), { settings: allowed ? { "allowed-origins": `127.0.0.1:${port}` } : {} });
    script = bundle() + PAGE(await references(node));
    const { page, context, complaints } = await open(browser, `http://127.0.0.1:${port}`);
    try {
      await page.goto("/");
      await run(page, complaints);
    } finally {
      await context.close();
      server.closeAllConnections();
      server.close();
      await node.stop();
    }
  }

  test("calls actions through the unmodified client", async () => {
    await visit({ allowed: true }, async (page, complaints) => {
      await page.getByRole("button", { name: "Add" }).click();
      await page.getByText("42").waitFor();
      await page.getByRole("button", { name: "Add" }).click();
      await page.getByText("44").waitFor();
      assert.deepEqual(complaints, []);
    });
  });

  test("gets back what a browser can send, files among it", async () => {
    await visit({ allowed: true }, async (page) => {
      const got = await page.evaluate(async () => {
        const form = new FormData();
        form.append("file", new File(["content"], "ä.txt", { type: "text/plain" }));
        const shared = { name: "one" };
        const [map, date, big, back, first, second] = await actions.echo(new Map([["k", new Set([1n])]]), new Date(5), 2n ** 70n, form, shared, [shared]);
        const file = back.get("file");
        // Flight rows carry a file's type and content, and no name.
        return [[...map.get("k")].map(String), date.getTime(), String(big), file.type, await file.text(), first === second[0]];
      });
      assert.deepEqual(got, [["1"], 5, String(2n ** 70n), "text/plain", "content", true]);
    });
  });

  test("may not call where its site is not listed", async () => {
    await visit({ allowed: false }, async (page) => {
      const status = await page.evaluate(async (reference) => {
        const response = await fetch("/", { method: "POST", headers: { "next-action": reference }, body: "[1,2]" });
        return `${response.status} ${response.headers.get("callboard-error")}`;
      }, "7f".padEnd(76, "0"));
      assert.equal(status, "403 foreign-origin");
    });
  });
});
