// What README.md shows for React does what it says, against the application that it shows.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { binary, references, root, start } from "../support/program.mjs";
import * as react from "../support/react.mjs";

/** The one block of JavaScript, as a function of what stands around it on a page. */
function example() {
  const readme = readFileSync(path.join(root, "README.md"), "utf8");
  const blocks = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, block]) => block);
  assert.equal(blocks.length, 1, "README.md has one block of JavaScript");
  // A bundler gives a page the client for browsers; here that is done by hand. Nothing else is changed.
  const code = blocks[0].replace(/^import (\{.*?\}) from "react-server-dom-webpack\/client";$/m, "const $1 = react;");
  assert.notEqual(code, blocks[0], "the block imports React's client");
  return new Function("react", "reference", "fetch", `return (async () => {\n${code}\n})();`);
}

test("the example of README.md signs the example of README.md", async () => {
  const node = await start(binary("visitors"));
  try {
    const [sign] = Object.values(await references(node));
    const statuses = [];
    const fetchFromPage = async (target, options) => {
      const response = await fetch(new URL(target, node.url), options);
      statuses.push(response.status);
      return response;
    };

    await example()(react, sign, fetchFromPage);

    assert.deepEqual(statuses, [200]);
    assert.match(await (await fetch(node.url)).text(), /<li>Ada/);
  } finally {
    await node.stop();
  }
});
