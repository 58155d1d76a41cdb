// React's client for the browser, as it is published, with the little that Next's router adds around a call.
import { createRequire } from "node:module";

process.env.NODE_ENV = "production";
// The bundler's runtime, which the client reads when it is loaded. An answer to an action never needs it.
globalThis.__webpack_require__ = Object.assign(() => { throw new Error("no module is loaded in these tests"); }, { u: (chunk) => chunk });
globalThis.__webpack_chunk_load__ = () => Promise.resolve();

const require = createRequire(import.meta.url);
export const { createFromFetch, createFromReadableStream, createServerReference, createTemporaryReferenceSet, encodeReply } = require("react-server-dom-webpack/client.browser");

/** What the client throws where the server does not know the action. */
export class UnrecognizedActionError extends Error {
  name = "UnrecognizedActionError";
}

/**
 * A caller of one server. What it sends, and what it reads of an answer, is what the router of Next 16.4 does: the
 * reference as a header, the arguments as `encodeReply` gives them, and of the decoded root the member `a`.
 */
export function client(url, { headers = {}, signal } = {}) {
  const state = { last: undefined };
  const callServer = async (reference, args) => {
    const temporaryReferences = createTemporaryReferenceSet();
    const body = await encodeReply(args, { temporaryReferences, signal });
    const response = await fetch(new URL("/", url), {
      method: "POST",
      headers: { accept: "text/x-component", "next-action": reference, ...headers },
      body,
      signal,
    });
    state.last = response;
    if (response.headers.get("x-nextjs-action-not-found") === "1") {
      throw new UnrecognizedActionError(await response.text());
    }
    const type = response.headers.get("content-type") ?? "";
    if (!type.startsWith("text/x-component") && !response.headers.has("x-action-redirect")) {
      // Of exactly this type, the text is for the user.
      throw new Error(response.status >= 400 && type === "text/plain" ? await response.text() : "An unexpected response was received from the server.");
    }
    const root = await createFromFetch(Promise.resolve(response), { callServer, temporaryReferences });
    return root.a;
  };
  return {
    /** The response to the last call. */
    get last() {
      return state.last;
    },
    callServer,
    action: (reference) => createServerReference(reference, callServer),
    /** All actions of a program, as functions by name. */
    actions: (references) => Object.fromEntries(Object.entries(references).map(([name, reference]) => [name, createServerReference(reference, callServer)])),
  };
}
