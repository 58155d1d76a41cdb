import { unstable_cache } from 'next/cache'
import { counters } from '../../counters.js'

export const dynamic = 'force-dynamic'

/** The counter of a tag, as it was when it was read into the data cache. */
export default async function Page({ params }) {
  const { tag } = await params
  const read = unstable_cache(async () => counters.read(tag), ['count', tag], { tags: [tag] })
  return <p id="count">{await read()}</p>
}
