// What happened at a declared service by mistake is taken back by two people: its money goes back the way it
// came, in the open date and naming what it corrects, and the service remembers as if it had not happened.
// What people were told stays. It refuses to know any service.
import { Type, type Static } from 'typebox'
import { formatIso, localDate } from '../../../runtime/instants.ts'
import { ServiceEvent, ServiceName } from '../../../schemas/service.ts'
import type { Ledger } from '../../ledger.ts'
import { openDateOf } from '../../open-date.ts'
import type { ProposalKind } from '../../people/proposals.ts'
import { Refusal } from '../../refusal.ts'
import { branchesOfParties } from '../../store/branches.ts'
import { joined, type Tx } from '../../store/db.ts'
import {
  currentSubject, findServiceEvent, freeQuota, insertServiceReversal, isFollowed, lockSubject, noteSubject,
  type FoundEvent
} from '../../store/services.ts'
import { serviceOf } from './declared.ts'
import { chipGivesBack, payBackByOthers, payBackOnline, type Till } from './money.ts'
import type { Undone } from './service.ts'
import { partyOf } from './set-up.ts'

const ServiceReversal = Type.Object({
  service: ServiceName, party: Type.String({ pattern: '^[A-Z0-9-]{1,15}$' }),
  key: Type.Unsafe<string>({ ...ServiceEvent.properties.key, description: 'of the event' })
}, { additionalProperties: false })
type ServiceReversal = Static<typeof ServiceReversal>

export const serviceReversalKind: ProposalKind = {
  body: ServiceReversal,
  start: ['clerk', 'settler'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, _ledger, { party }: ServiceReversal) => await branchesOfParties(tx, [party]),
  subject: ({ service, party, key }: ServiceReversal) => `${service}/${party}/${key}`,
  look: async (tx, ledger, body: ServiceReversal) => {
    const { event, chip } = await standing(tx, ledger, body)
    return {
      event: event.event, at: formatIso(event.atMs), priceFen: Number(event.priceFen), parts: event.parts,
      debit: event.debit, chip: chip?.state ?? null
    }
  },
  carryOut: async (tx, ledger, body: ServiceReversal, how) => {
    const { proposalId, startedBy, approvedBy, reason, atMs } = how
    const { event, key, state, chip, till, partyId, clearingDate } = await standing(tx, ledger, body)
    if (event.quota !== null) {
      const date = localDate(event.atMs)
      await freeQuota(tx, { partyId, service: event.service, date, name: event.quota })
    }
    const requestKey = event.requestKey === null
      ? null
      : await payBackOnline(till, { client: event.client, of: event.requestKey, key: event.key })
    await chip?.giveBack({ by: [startedBy, ...approvedBy].join(' + '), reason, atMs })
    const journalId = await payBackByOthers(till, event)
    await noteSubject(tx, key, state)
    await insertServiceReversal(tx, partyId, event.key,
      { clearingDate, proposalId, why: reason, reversedAtMs: atMs, requestKey, journalId })
    return { clearingDate, priceFen: Number(event.priceFen) }
  }
}

/** The event with all that is to be locked before its money moves. Throws Refusal. */
async function standing (tx: Tx, ledger: Ledger, { service: name, party, key }: ServiceReversal) {
  const service = serviceOf(name)
  const clearingDate = await openDateOf(tx)
  const snapshot = await ledger.registry()
  const till: Till = {
    tx, ledger: { ...ledger, db: joined(tx), registry: async () => snapshot }, client: '', party,
    atMs: ledger.clock.now()
  }
  const partyId = await partyOf(ledger, party, '/body/party')
  const event = await findServiceEvent(tx, partyId, key)
  if (event === null || event.service !== name) {
    throw new Refusal('not_found', `${party} was told no event ${key} of ${name}`, '/body/key')
  }
  const subject = await currentSubject(tx, partyId, event)
  const subjectKey = { partyId, service: name, subject, card: null }
  const now = await lockSubject(tx, subjectKey)
  const isTakenBack = (await findServiceEvent(tx, partyId, key))?.takenBack !== null
  if (isTakenBack) throw new Refusal('cannot_return_twice', `${key} was taken back before`, '/body/key')
  if (event.outcome !== 'approved') {
    throw new Refusal('conditions_not_met', `${key} was declined: there is nothing to take back`, '/body/key')
  }
  const isLast = !await isFollowed(tx, partyId, event, [event.subject, subject])
  const place = snapshot.partyById.get(event.placeId)?.code ?? ''
  const after = (service.without ?? lastOnly)(now, undoneOf(event, place, isLast))
  if (after === null) {
    throw new Refusal('conditions_not_met', `something that happened after ${key} hangs on it`, '/body/key')
  }
  const chip = event.debit === null ? null : await chipGivesBack(till, event)
  return { event, key: subjectKey, state: after.state, chip, till, partyId, clearingDate }
}

const undoneOf = (row: FoundEvent, place: string, isLast: boolean): Undone<unknown> => ({
  event: row.event, date: localDate(row.atMs), place, steps: row.steps, parts: row.parts,
  said: (JSON.parse(row.content) as { readonly said?: Record<string, unknown> }).said ?? {},
  before: isLast ? row.before : null
})

const lastOnly = (_now: unknown, { before }: Undone<unknown>) => before
