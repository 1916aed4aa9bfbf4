// Bills of clinics against what they moved, sums of a year against the bills, and rules against what the
// audit log says of them. It refuses to share out.
import { digestOf } from '../services/clinic/set-up.ts'
import type { Tx } from '../store/db.ts'
import {
  accumulatorDifferences, clinicPostingDifferences, clinicPurseDifferences, publishedRules, rulesInAudit
} from '../store/verify-clinic.ts'
import { equal, type BookCheck, type Findings } from './check.ts'

export const clinicChecks: readonly BookCheck[] = [{
  name: 'sums of a person and a year are those of the bills that count',
  run: async ({ tx }) => equal(await accumulatorDifferences(tx))
}, {
  name: 'clinic bills are the transfers they say',
  run: async ({ tx }) => equal(await clinicPostingDifferences(tx))
}, {
  name: 'what online accounts paid for clinic bills are the purchases they say',
  run: async ({ tx }) => equal(await clinicPurseDifferences(tx))
}, {
  name: 'rules of clinics are as they were published',
  run: async ({ tx }) => await checkRules(tx)
}]

async function checkRules (tx: Tx): Promise<Findings> {
  const rows = await publishedRules(tx)
  const faults = rows.flatMap(({ area, version, validFrom, document, by, atMs, said }) => {
    const name = `clinic_rule_set ${area} ${version}`
    if (said === null) return [`${name}: the audit log does not know it`]
    const { from, digest } = JSON.parse(said.detail) as { readonly from: string, readonly digest: string }
    const same = digest === digestOf(document) && from === validFrom && by === said.by &&
      atMs === said.atMs && area === document.area && version === document.version
    return same ? [] : [`${name}: not as it was published`]
  })
  const known = await rulesInAudit(tx)
  if (known > rows.length) faults.push(`clinic_rule_set: ${known} were published, ${rows.length} are there`)
  return { faults, seen: `${rows.length} rule sets` }
}
