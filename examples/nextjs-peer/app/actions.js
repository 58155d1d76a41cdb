'use server'

import { revalidateTag } from 'next/cache'
import { counters } from './counters.js'

/** Gives its arguments back, whatever they hold. */
export async function echo(...args) {
  return args
}

/** Counts under `tag` and makes every page with that tag stale. Gives the new count. */
export async function bump(tag) {
  const count = counters.add(tag)
  revalidateTag(tag, { expire: 0 })
  return count
}
