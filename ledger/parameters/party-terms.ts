// The terms on which a party takes part: what its files count, from what net on it is paid, whether it pays
// in before it sells, its own codes. Once the ledger works, a change of them waits for a second person.
import type { Party, PartyTerms } from '../../schemas/api.ts'
import { canonical } from '../core/canonical.ts'
import type { Ledger } from '../ledger.ts'
import type { Tx } from '../store/db.ts'
import { readPartyTerms } from '../store/party-terms.ts'
import { needsSecondPerson } from './set-up.ts'

/** The parties as they may be entered now, and the terms that must wait. */
export async function withheldTerms (
  tx: Tx, ledger: Ledger, parties: readonly Party[]
): Promise<{ entered: readonly Party[], terms: readonly PartyTerms[] }> {
  if (parties.length === 0 || !await needsSecondPerson(tx, ledger)) return { entered: parties, terms: [] }
  const standing = new Map((await readPartyTerms(tx, parties.map(({ code }) => code)))
    .map(terms => [terms.party, terms]))
  const terms: PartyTerms[] = []
  const entered = parties.map(party => {
    const stands = standing.get(party.code)
    const wanted = termsOf(party)
    if (stands === undefined || canonical(stands) === canonical(wanted)) return party
    terms.push(wanted)
    const { party: code, ...same } = stands
    return { ...party, ...same }
  })
  return { entered, terms }
}

const termsOf = ({ code, counterConvention, settleFromFen, prepaid, wireCodes }: Party): PartyTerms => ({
  party: code, counterConvention: counterConvention ?? 'committed', settleFromFen: settleFromFen ?? 0,
  prepaid: prepaid ?? false, wireCodes: wireCodes ?? {}
})
