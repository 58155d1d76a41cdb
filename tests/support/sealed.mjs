// What a page's form would send, read from its hidden fields.

/** Reference and sealed text of the first form on a page. */
export async function sealedReference(url, path, cookie) {
  const response = await fetch(new URL(path, url), { headers: cookie ? { cookie } : {} });
  const fields = hiddenFields(await response.text());
  const { id } = JSON.parse(fields["$ACTION_1:0"]);
  const [seal] = JSON.parse(fields["$ACTION_1:1"]);
  return { reference: id, seal };
}

/** The hidden fields of a page, by name. */
export function hiddenFields(html) {
  const inputs = html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g);
  return Object.fromEntries([...inputs].map(([, name, value]) => [unescape(name), unescape(value)]));
}

const NAMED = { amp: "&", lt: "<", gt: ">", quot: '"' };
const unescape = (text) => text.replace(/&(?:#(x?)([0-9a-f]+)|(\w+));/gi, (_, hex, code, name) => (name ? NAMED[name] : String.fromCodePoint(parseInt(code, hex ? 16 : 10))));
