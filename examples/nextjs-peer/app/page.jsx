import { bump, echo } from './actions.js'
import { Caller } from './caller.jsx'

/** The page that calls are posted to. Its button keeps the actions among those that clients may call. */
export default function Page() {
  return <Caller bump={bump} echo={echo} />
}
