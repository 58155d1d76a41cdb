//! Every header name on the wire, with where it comes from. All are lower case, as HTTP/2 wants them.
//!
//! *Next* stands for the client router or the server of Next.js 16.4.6; *ours* for names that only Callboard gives.

macro_rules! headers {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal;)*) => {
        $($(#[doc = $doc])+ pub const $name: &str = $text;)*

        /// Every name above.
        pub const ALL: &[&str] = &[$($name),*];
    };
}

headers! {
    /// Request: the action reference; its presence on a POST makes a call. Next (`server-action-reducer`), and what a
    /// plain React client's `callServer` sends.
    NEXT_ACTION = "next-action";
    /// Request: the router's tree, URI-encoded JSON. Next; only an origin behind the node reads it.
    NEXT_ROUTER_STATE_TREE = "next-router-state-tree";
    /// Request: the path of the page, when its route was intercepted. Next.
    NEXT_URL = "next-url";
    /// Request: `1` asks for a page as Flight rows and not as HTML. Next.
    RSC = "rsc";
    /// Request: the deployment that the page came from. Next, if one is configured.
    X_DEPLOYMENT_ID = "x-deployment-id";
    /// Response: the deployment that answers; the client ignores page data of another. Next.
    X_NEXTJS_DEPLOYMENT_ID = "x-nextjs-deployment-id";
    /// Request: `1` on a call that a Next server sent on to itself. Next; never set or believed here.
    X_ACTION_FORWARDED = "x-action-forwarded";
    /// Response: `url;push` or `url;replace`; a `;` in the URL is percent-encoded. Next.
    X_ACTION_REDIRECT = "x-action-redirect";
    /// Response: `1`, data was revalidated; `2`, only the page is to be rendered again. Next.
    X_ACTION_REVALIDATED = "x-action-revalidated";
    /// Response: `1` if there is no such action here; the client throws `UnrecognizedActionError` whatever the status.
    /// Next.
    X_NEXTJS_ACTION_NOT_FOUND = "x-nextjs-action-not-found";

    /// Request: where the page came from. Fetch standard.
    ORIGIN = "origin";
    /// Request: how the page is related to this site. Fetch Metadata.
    SEC_FETCH_SITE = "sec-fetch-site";
    /// Request: the host that the client asked for, from a proxy. By custom; read only from trusted proxies.
    X_FORWARDED_HOST = "x-forwarded-host";
    /// Request: the client's word that two calls are one. IETF draft `httpapi-idempotency-key-header`.
    IDEMPOTENCY_KEY = "idempotency-key";
    /// Request: the trace that a call belongs to. W3C Trace Context.
    TRACEPARENT = "traceparent";
    /// Request: what vendors add to a trace. W3C Trace Context.
    TRACESTATE = "tracestate";
    /// Response: seconds to wait before the call is sent again. RFC 9110, section 10.2.3.
    RETRY_AFTER = "retry-after";
    /// Response: whether a page came out of the render cache. RFC 9211.
    CACHE_STATUS = "cache-status";
    /// Response: the tags of a page, for caches in between. RFC 9875.
    CACHE_GROUPS = "cache-groups";
    /// Response: the tags that an action revalidated, for caches in between. RFC 9875.
    CACHE_GROUP_INVALIDATION = "cache-group-invalidation";

    /// Response to every POST: `done`, `failed`, `not-run` or `unknown`. Ours.
    CALLBOARD_OUTCOME = "callboard-outcome";
    /// Response: the name of the call, as it stands in logs and traces. Ours.
    CALLBOARD_CALL_ID = "callboard-call-id";
    /// Response: the position in the revalidation log after which no node serves what the action revalidated. Ours.
    CALLBOARD_REVALIDATED_AT = "callboard-revalidated-at";
    /// Response: `unconfirmed` if the revalidation could not be confirmed in time. Ours.
    CALLBOARD_REVALIDATION = "callboard-revalidation";
    /// Response: what a client that saw this answer sends back, so that no node serves it anything older. Request: the same.
    /// Browsers have it as a cookie of this name. Ours.
    CALLBOARD_SESSION = "callboard-session";
    /// Response: the number of the render that a page comes from. Ours.
    CALLBOARD_RENDER = "callboard-render";
    /// Response: how a page was found in the render cache, where `cache_debug_header` is set. Ours.
    CALLBOARD_CACHE = "callboard-cache";
    /// Response: the code of what went wrong, the name of its page in `docs/errors/`. Ours.
    CALLBOARD_ERROR = "callboard-error";
    /// Response: `1` if this is the stored outcome of an earlier call; `body-not-kept` if without its body. Ours.
    CALLBOARD_REPLAYED = "callboard-replayed";
    /// Request to the webhook: `t=<unix seconds>,v1=<hex HMAC-SHA-256 of t.body>`. Ours.
    CALLBOARD_SIGNATURE = "callboard-signature";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_lower_case_and_given_once() {
        for (place, name) in ALL.iter().enumerate() {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
            assert!(!ALL[place + 1..].contains(name), "{name} twice");
        }
    }
}
