const counts = (globalThis.callboardPeerCounts ??= new Map())

/** Counters of this process. */
export const counters = {
  add(tag) {
    counts.set(tag, (counts.get(tag) ?? 0) + 1)
    return counts.get(tag)
  },
  read(tag) {
    return counts.get(tag) ?? 0
  },
}
