// The list of terminals as a gateway fetches it: what changed since the version it has, and a digest of the
// whole. It refuses to know who may change it.
import { estateDigest, estateLine, type EstateReply } from '../../schemas/terminals.ts'
import type { Ledger } from '../ledger.ts'
import { inTransaction, type Db } from '../store/db.ts'
import { changedSince, estateOf, estateVersion, shareEstate, type ListOwner } from '../store/enrolments.ts'

/** What a gateway lacks that holds version `have`; the whole list where it has none or one of the future. */
export async function estateSince (ledger: Ledger, of: ListOwner, have: number | null): Promise<EstateReply> {
  return await inTransaction(ledger.db, async tx => {
    await shareEstate(tx) // a version that is being written is not told half
    const to = await estateVersion(tx)
    const digests = digestsOf(ledger)
    const owner = `${of.gateway} ${of.party ?? ''}`
    const known = digests.get(owner)
    // Asked by each gateway once a minute, and mostly nothing has changed: the list is not read for it.
    if (have === to && known?.version === to) {
      return { from: have, to, add: [], remove: [], digest: known.digest }
    }
    const all = await estateOf(tx, of)
    const digest = estateDigest(all.map(estateLine))
    digests.set(owner, { version: to, digest })
    if (have === null || have > to) return { from: null, to, add: all, remove: [], digest }
    return { from: have, to, ...await changedSince(tx, of, have), digest }
  })
}

/** Of the whole list of each gateway, which is a function of its version. */
type Digests = Map<string, { readonly version: number, readonly digest: string }>
const digestsByLedger = new WeakMap<Db, Digests>()

function digestsOf ({ db }: Ledger): Digests {
  const digests = digestsByLedger.get(db) ?? new Map()
  digestsByLedger.set(db, digests)
  return digests
}
