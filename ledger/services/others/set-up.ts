// Rules of declared services, entered by date. The past stays: what happened was judged by the rules of its
// day. It refuses to know any service.
import { Value } from 'typebox/value'
import { localDate } from '../../../runtime/instants.ts'
import type { ServiceRules } from '../../../schemas/service.ts'
import { canonical } from '../../core/canonical.ts'
import type { Ledger } from '../../ledger.ts'
import { audit } from '../../people/audit.ts'
import { Refusal } from '../../refusal.ts'
import { inTransaction } from '../../store/db.ts'
import { bumpVersion, ensureBook, findParties } from '../../store/registry.ts'
import { readServiceRules, upsertServiceRules } from '../../store/services.ts'
import { serviceOf } from './declared.ts'
import type { At } from './serve.ts'

/** The first rules may begin whenever; later ones today at the earliest. */
export async function setServiceRules (
  ledger: Ledger, by: string, { service: name, party }: At, said: ServiceRules
): Promise<void> {
  const service = serviceOf(name)
  const [wrong] = Value.Errors(service.rules, said.rules)
  if (wrong !== undefined) throw new Refusal('body_invalid', wrong.message, `/rules${wrong.instancePath}`)
  const further = service.rulesWrong?.(said.rules) ?? null
  if (further !== null) throw new Refusal('body_invalid', further.text, `/rules${further.where}`)
  const partyId = await partyOf(ledger, party)
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    const parties = await findParties(tx)
    for (const place of service.places?.(said.rules) ?? []) {
      if (parties.get(place)?.kind === 'operator') continue
      throw new Refusal('registry_invalid', `${place} is not registered as an operator`, '/rules')
    }
    const hasTreasury = [...parties.values()].some(({ kind }) => kind === 'treasury')
    if (service.books.includes('treasury') && !hasTreasury) {
      throw new Refusal('registry_invalid', 'the treasury is to pay, and none is registered', '/rules')
    }
    const stand = await readServiceRules(tx, { partyId, service: name })
    const same = stand.find(({ from }) => from === said.from)
    if (same !== undefined && canonical(same.rules) === canonical(said.rules)) return
    if (stand.length > 0 && said.from < localDate(atMs)) {
      throw new Refusal('day_state', `prices were made by the rules of ${said.from}: they stay`, '/from')
    }
    await upsertServiceRules(tx, { partyId, service: name }, said, by, atMs)
    for (const book of service.books) if (book !== 'commerce') await ensureBook(tx, [party], book)
    await bumpVersion(tx)
    await audit(tx, atMs, { by, action: 'service.rules', subject: `${name}/${party}`, detail: said })
  })
}

/** Throws Refusal not_found. */
export async function partyOf (
  { registry }: Pick<Ledger, 'registry'>, party: string, where?: string
): Promise<number> {
  const found = (await registry()).parties.get(party)
  if (found?.kind === 'operator') return found.partyId
  throw new Refusal('not_found', `${party} is no operator`, where)
}
