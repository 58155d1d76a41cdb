// The corpus in tests/hostile: bodies as tables, and what they stand for.
import { readdirSync, readFileSync } from "node:fs";

const folder = new URL("../hostile/", import.meta.url);

/** The families, each with its name, what it is about and its cases. */
export const families = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .sort()
  .map((name) => ({ name: name.slice(0, -".json".length), ...JSON.parse(readFileSync(new URL(name, folder), "utf8")) }));

/**
 * Makes the request of a case. `names` holds what stands for `<name>` in its texts: references, a seal, this host.
 *
 * A text is a string, or a list of strings and of `{repeat, count, from}`, in whose repetitions `<d>` and `<x>` are the
 * running number, decimal and hexadecimal, and `<d+1>`, `<x+1>` the next; `{hex}` is bytes. A list of parts may hold
 * `{repeat: [name, text], count, from}` likewise.
 */
export function request({ as, action = "echo", form, headers = {}, type, boundary = "cut", parts, raw, body }, names) {
  const text = (value) => bytes(value, names);
  const all = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, text(value).toString("utf8")]));
  if (!form) all["next-action"] = text(as ?? `<ref:${action}>`).toString("utf8");
  const isMultipart = parts !== undefined || raw !== undefined;
  all["content-type"] = type ?? (isMultipart ? `multipart/form-data; boundary=${boundary}` : "text/plain;charset=UTF-8");
  return { headers: all, body: parts ? multipart(parts, boundary, text) : text(raw ?? body) };
}

function multipart(parts, boundary, text) {
  const pieces = parts.flatMap((part) => {
    if (Array.isArray(part)) return [part];
    const [name, value] = part.repeat;
    return numbers(part).map((number) => [numbered(name, number), numbered(value, number)]);
  });
  const part = ([name, value, more = ""]) => [`--${boundary}\r\ncontent-disposition: form-data; name="`, text(name), `"${more}\r\n\r\n`, text(value), "\r\n"];
  return Buffer.concat([...pieces.flatMap(part), `--${boundary}--\r\n`].map((piece) => Buffer.from(piece)));
}

const numbers = ({ count, from = 0 }) => Array.from({ length: count }, (_, at) => from + at);
const numbered = (text, number) =>
  text.replace(/<([dx])(\+1)?>/g, (_, base, next) => (number + (next ? 1 : 0)).toString(base === "x" ? 16 : 10));

function bytes(value, names) {
  const pieces = (Array.isArray(value) ? value : [value]).map((piece) => {
    if (typeof piece === "string") return Buffer.from(named(piece, names));
    if (piece.hex !== undefined) return Buffer.from(piece.hex, "hex");
    return Buffer.from(numbers(piece).map((number) => numbered(piece.repeat, number)).join(""));
  });
  return Buffer.concat(pieces);
}

/** `<name>`, or `<name|operation>`: what the name stands for, damaged. */
function named(text, names) {
  return text.replace(/<([a-z]+(?::\w+)?)(?:\|(\w+)(?: (\d+))?)?>/g, (all, name, operation, at) => {
    const found = names[name];
    if (found === undefined) return all;
    switch (operation) {
      case undefined:
        return found;
      case "upper":
        return found.toUpperCase();
      case "drop":
        return found.slice(0, -Number(at));
      case "flip": {
        const place = Number(at);
        return found.slice(0, place) + (found[place] === "0" ? "1" : "0") + found.slice(place + 1);
      }
      default:
        throw new Error(`no operation ${operation}`);
    }
  });
}

/** The first 65 bytes of a text that stand in the request as well; a refusal repeats no more than 64. */
export function echoed(text, { headers, body }) {
  const sent = Buffer.concat([Buffer.from(`${Object.values(headers).join("\n")}\n`), body]);
  const answer = Buffer.from(text);
  for (let at = 0; at + 65 <= answer.length; at += 1) {
    const window = answer.subarray(at, at + 65);
    if (sent.includes(window)) return window.toString("utf8");
  }
  return null;
}
