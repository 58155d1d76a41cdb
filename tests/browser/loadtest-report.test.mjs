// Reports of the load-testing harness, opened as files: without a network, on a screen, on a phone, in the dark, on paper.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";

import { launch, open } from "../support/browser.mjs";
import { loadtest, root, temporaryFolder } from "../support/program.mjs";

const golden = path.join(root, "loadtest/tests/golden/results.json");
// Kept, to be looked at.
const shots = path.join(root, "target/test-logs/loadtest-report");
const folder = temporaryFolder();
const report = path.join(folder, "report.html");
const comparison = path.join(folder, "comparison.html");

let browser;
before(async () => {
  mkdirSync(shots, { recursive: true });
  browser = await launch();
});
after(() => browser?.close());

function run(...args) {
  const { status, stdout, stderr } = spawnSync(loadtest(), args, { encoding: "utf8" });
  return { status, stdout, stderr };
}

async function opened(file, options) {
  const seen = await open(browser, "about:blank", { viewport: { width: 1280, height: 900 }, ...options });
  seen.requests = [];
  seen.page.on("request", (request) => seen.requests.push(request.url()));
  await seen.page.goto(pathToFileURL(file).href);
  return seen;
}

test("a run that broke a promise is reported, and exits 1", () => {
  const { status, stdout, stderr } = run("report", golden, "--html", report);
  assert.equal(status, 1, stderr);
  assert.match(stdout, /call 4711 was begun twice/);
  assert.match(stderr, /wrote .*report\.html/);
});

test("a run beside itself is no worse, and exits 0", () => {
  const { status, stdout, stderr } = run("compare", golden, golden, "--html", comparison);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /Nothing is worse/);
});

test("what is no results of a run, and wrong use, exit 2", () => {
  assert.equal(run("report", path.join(root, "Cargo.toml")).status, 2);
  assert.equal(run("compare", golden).status, 2);
});

for (const [name, options] of Object.entries({
  screen: {},
  dark: { colorScheme: "dark" },
  phone: { viewport: { width: 360, height: 780 }, deviceScaleFactor: 2 },
  "no-script": { javaScriptEnabled: false },
})) {
  describe(name, () => {
    for (const [what, file] of [["report", report], ["comparison", comparison]]) {
      test(`the ${what} needs nothing else, and fits`, async () => {
        const { page, context, complaints, requests } = await opened(file, options);
        await page.screenshot({ path: path.join(shots, `${what}-${name}.png`), fullPage: true });
        const wide = await page.locator("html").boundingBox();
        assert.ok(wide.width <= page.viewportSize().width, "nothing makes the page wider than its window");
        if (name !== "no-script") {
          assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
        }
        const images = page.getByRole("img", { name: "Percentiles of all requests" });
        assert.equal(await images.count(), 1, "of the sizes of a plot one is shown");
        assert.deepEqual(requests.filter((url) => !/^(file|data):/.test(url)), []);
        assert.deepEqual(complaints, []);
        await context.close();
      });
    }
  });
}

test("the report says the verdict first, and shows hostile names as they are", async () => {
  const { page, context, complaints } = await opened(report);
  assert.match(await page.title(), /^mixed <\/title><script>alert\("x"\)<\/script>&': Promises were broken/);
  await page.getByRole("heading", { name: "Promises were broken 2 times." }).waitFor();
  await page.getByRole("rowheader", { name: "form <b></title><script>" }).waitFor();
  await page.locator(".history li", { hasText: "begun by process 940" }).waitFor();
  for (const plot of ["Latency over time", "Throughput", "Outcomes", "Outcomes but done", "Share of each target", "Percentiles by operation"]) {
    assert.equal(await page.getByRole("img", { name: plot, exact: true }).count(), 1, plot);
  }
  const axis = await page.locator("svg[aria-labelledby^='latency-t'] text").allTextContents();
  assert.ok(axis.includes("1 ms") && axis.includes("60 s"), axis.join(" "));
  assert.deepEqual(complaints, []);
  await context.close();
});

test("the report can be printed", async () => {
  const { page, context } = await opened(report);
  await page.pdf({ path: path.join(shots, "report.pdf"), format: "A4", printBackground: true });
  await context.close();
});
