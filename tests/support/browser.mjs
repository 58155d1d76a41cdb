// A browser, and pages that note whatever goes wrong on them.
import { spawnSync } from "node:child_process";
import { chromium } from "playwright-core";

function executable() {
  const names = [process.env.CHROMIUM, "chromium", "chromium-browser", "google-chrome"].filter(Boolean);
  for (const name of names) {
    const { status, stdout } = spawnSync("sh", ["-c", 'command -v "$1"', "sh", name], { encoding: "utf8" });
    if (status === 0) return stdout.trim();
  }
  throw new Error(`no browser: install chromium, or name one in CHROMIUM (looked for ${names.join(", ")})`);
}

/** Starts the browser. */
export function launch() {
  // Root, as in containers, has no sandbox to give; small containers have little shared memory.
  const sandbox = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: executable(), args: [...sandbox, "--disable-dev-shm-usage"] });
}

/** A page in a context of its own; `complaints` are errors in its console and requests that failed. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ baseURL: url, ...options });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("requestfailed", (request) => {
    const reason = request.failure().errorText;
    // What the browser itself gives up, as when a page is left, is nobody's fault.
    if (reason !== "net::ERR_ABORTED") complaints.push(`${request.method()} ${request.url()} (${request.resourceType()}): ${reason}`);
  });
  return { page, context, complaints };
}
