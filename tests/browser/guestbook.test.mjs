// The guestbook as its visitors use it: in a browser, with JavaScript and without.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import { launch, open } from "../support/browser.mjs";
import { binary, start } from "../support/program.mjs";
import { hiddenFields } from "../support/sealed.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

for (const javaScriptEnabled of [true, false]) {
  describe(javaScriptEnabled ? "with JavaScript" : "without JavaScript", () => {
    let guestbook;
    let page;
    let context;
    let complaints;

    before(async () => {
      guestbook = await start(binary("guestbook"));
    });
    after(() => guestbook?.stop());
    beforeEach(async () => {
      await context?.close();
      ({ page, context, complaints } = await open(browser, guestbook.url, { javaScriptEnabled }));
    });
    afterEach(() => assert.deepEqual(complaints, []));
    after(() => context?.close());

    const entries = () => page.locator("li[id^=entry-]");

    async function sign(name, message) {
      await page.goto("/");
      await page.getByLabel("Name").fill(name);
      await page.getByLabel("Message").fill(message);
      await page.getByRole("button", { name: "Sign the book" }).click();
    }

    async function signIn(name) {
      await page.goto("/sign-in");
      await page.getByLabel("Name").fill(name);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.waitForURL("/mine");
    }

    test("an entry that was written stands in the book", async () => {
      await sign("Ann", "I was here <b>& there</b>");
      await page.waitForURL("/");
      await entries().filter({ hasText: "I was here <b>& there</b>" }).waitFor();
    });

    test("a reload after writing writes nothing again", async () => {
      await sign("Ann", "only once");
      const mine = entries().filter({ hasText: "only once" });
      await mine.waitFor();
      const response = await page.reload();
      assert.equal(response.request().method(), "GET");
      assert.equal(await mine.count(), 1);
    });

    test("a mistake is named beside its field, and what was typed is kept", async () => {
      await sign("Ann of somewhere", "   ");
      const error = page.locator("#message-error");
      await error.waitFor();
      assert.equal(await error.getAttribute("role"), "alert");
      assert.notEqual((await error.textContent()).trim(), "");
      const describedBy = await page.getByLabel("Message").getAttribute("aria-describedby");
      assert.ok(describedBy.split(" ").includes("message-error"));
      assert.equal(await page.getByLabel("Name").inputValue(), "Ann of somewhere");

      await page.getByLabel("Name").fill("");
      await page.getByLabel("Message").fill("kept, \"quotes\" <and> all\nof it");
      await page.getByRole("button", { name: "Sign the book" }).click();
      await page.locator("#name-error").waitFor();
      assert.equal(await page.getByLabel("Message").inputValue(), "kept, \"quotes\" <and> all\nof it");

      await page.getByLabel("Name").fill("Ann");
      await page.getByRole("button", { name: "Sign the book" }).click();
      await entries().filter({ hasText: "of it" }).waitFor();
      assert.equal(await page.locator("[role=alert]").count(), 0);
    });

    test("who is signed in deletes their own entry", async () => {
      await signIn("Cleo");
      await sign("Cleo", "soon gone");
      await entries().filter({ hasText: "soon gone" }).waitFor();
      await page.goto("/mine");
      const mine = entries().filter({ hasText: "soon gone" });
      await mine.getByRole("button", { name: "Delete" }).click();
      await mine.waitFor({ state: "detached" });
      await page.goto("/");
      assert.equal(await entries().filter({ hasText: "soon gone" }).count(), 0);
    });

    test("nobody deletes another's entry, whatever is posted", async () => {
      await signIn("Dora");
      await sign("Dora", "hands off");
      await page.goto("/mine");
      const entry = entries().filter({ hasText: "hands off" });
      const id = await entry.getAttribute("id");
      const fields = hiddenFields(await page.content());

      const forge = async (cookies) => {
        const form = new FormData();
        for (const [name, value] of Object.entries(fields).filter(([name]) => /ACTION_(REF_)?1/.test(name))) form.append(name, value);
        const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
        return fetch(`${guestbook.url}/mine`, { method: "POST", body: form, redirect: "manual", headers: { cookie, origin: guestbook.url } });
      };
      const other = await open(browser, guestbook.url, { javaScriptEnabled });
      await other.page.goto("/sign-in");
      await other.page.getByLabel("Name").fill("Eve");
      await other.page.getByRole("button", { name: "Sign in" }).click();
      await other.page.waitForURL("/mine");
      assert.equal(await other.page.locator(`#${id}`).count(), 0, "it is not offered to anybody else");
      assert.equal((await forge(await other.context.cookies())).status, 403);
      await other.context.close();
      const nobody = await forge([]);
      assert.ok([303, 401].includes(nobody.status), `nobody: ${nobody.status}`);

      await page.goto("/");
      assert.equal(await page.locator(`#${id}`).count(), 1);
    });

    test("twenty-five entries lie on three pages, newest first", async () => {
      const fresh = await start(binary("guestbook"));
      const { page, context } = await open(browser, fresh.url, { javaScriptEnabled });
      // As the form posts them, without waiting for pages to be shown.
      const fields = hiddenFields(await (await fetch(fresh.url)).text());
      for (let number = 1; number <= 25; number += 1) {
        const form = new FormData();
        for (const [name, value] of Object.entries({ ...fields, name: "Counter", message: `entry number ${number}` })) form.append(name, value);
        const answer = await fetch(fresh.url, { method: "POST", body: form, redirect: "manual" });
        assert.equal(`${answer.status} ${answer.headers.get("location")}`, "303 /");
      }
      const seen = [];
      for (const leaf of [1, 2, 3]) {
        await page.goto(leaf === 1 ? "/" : `/?page=${leaf}`);
        seen.push(...(await page.locator("li[id^=entry-] .message").allTextContents()).map((text) => Number(text.match(/\d+/)[0])));
      }
      assert.deepEqual(seen, Array.from({ length: 25 }, (_, at) => 25 - at));
      await page.goto("/");
      await page.getByRole("link", { name: /older/i }).click();
      await page.waitForURL("/?page=2");
      await page.getByRole("link", { name: /newer/i }).click();
      await page.getByText("entry number 25", { exact: true }).waitFor();
      assert.equal((await page.goto("/?page=9")).status() < 500, true);
      await context.close();
      await fresh.stop();
    });
  });
}

describe("how it looks", () => {
  let guestbook;
  before(async () => {
    guestbook = await start(binary("guestbook"));
  });
  after(() => guestbook?.stop());

  for (const path of ["/", "/sign-in"]) {
    test(`${path} has a light and a dark side, fits a telephone, and complains about nothing`, async () => {
      const shots = [];
      for (const colorScheme of ["light", "dark"]) {
        const { page, context, complaints } = await open(browser, guestbook.url, { colorScheme, viewport: { width: 320, height: 640 } });
        assert.equal((await page.goto(path)).status(), 200);
        shots.push(await page.screenshot());
        const [wide, brightness] = await page.evaluate(() => {
          const colour = getComputedStyle(document.body).backgroundColor;
          const shown = /rgba?\(0, 0, 0, 0\)|transparent/.test(colour) ? getComputedStyle(document.documentElement).backgroundColor : colour;
          return [document.documentElement.scrollWidth, shown];
        });
        assert.ok(wide <= 320, `${wide} px wide`);
        shots.push(brightness);
        assert.deepEqual(complaints, []);
        await context.close();
      }
      assert.notEqual(shots[1], shots[3], "the two backgrounds differ");
      assert.ok(!shots[0].equals(shots[2]));
    });
  }

  test("an error is a page, too", async () => {
    const { page, context } = await open(browser, guestbook.url);
    const response = await page.goto("/nowhere");
    assert.equal(response.status(), 404);
    assert.match(await page.locator("h1").textContent(), /not found/i);
    await context.close();
  });
});
