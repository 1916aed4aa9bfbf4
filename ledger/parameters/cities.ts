// The list of cities whose cards are accepted: versions published by the registrar and, once the ledger
// works, a second person; nobody edits it alone. It refuses to know records.
import { createHash } from 'node:crypto'
import { formatIso, parseIso } from '../../runtime/instants.ts'
import type { Policies } from '../../schemas/api.ts'
import { CityPublication, type CityList } from '../../schemas/city.ts'
import { audit } from '../people/audit.ts'
import { canonical } from '../core/canonical.ts'
import { accountCode } from '../core/chart.ts'
import { terminalsByMs, type CityDeadlines } from '../core/cities.ts'
import type { Ledger } from '../ledger.ts'
import { propose, type Member, type ProposalKind } from '../people/proposals.ts'
import { instantIn, Refusal } from '../refusal.ts'
import { needsSecondPerson } from './set-up.ts'
import {
  closeCities, insertCities, insertCityVersion, lastCityVersion, ownPrefix, readCities
} from '../store/cities.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { lockPublication } from '../store/parameters.ts'
import { bumpVersion } from '../store/registry.ts'

/**
 * Publishes a version, or proposes it to a second person; `version` is then the one in force. Throws Refusal
 * registry_invalid, proposal_pending.
 */
export async function publishCities (
  ledger: Ledger, publication: CityPublication, by: Member
): Promise<{ version: number, proposal?: number }> {
  return await inTransaction(ledger.db, async tx => {
    await check(tx, ledger, publication)
    if (!await needsSecondPerson(tx, ledger)) {
      return { version: await publish(tx, publication, by.name, ledger.clock.now()) }
    }
    const asked = { kind: 'city_list', body: publication, reason: `the list of cities sent by ${by.name}` }
    const proposal = Number(await propose(tx, ledger, cityListKind, by, asked))
    return { version: await lastCityVersion(tx), proposal }
  })
}

export const cityListKind: ProposalKind = {
  body: CityPublication,
  start: ['registrar'],
  decide: ['approver'],
  approvals: 1,
  subject: (body: CityPublication) =>
    `cities/${createHash('sha256').update(canonical(body)).digest('hex').slice(0, 8)}`,
  look: async (tx, ledger, body: CityPublication) => {
    await check(tx, ledger, body)
    return { version: await lastCityVersion(tx), cities: await readCities(tx) }
  },
  carryOut: async (tx, ledger, body: CityPublication, { approvedBy, atMs }) => {
    await check(tx, ledger, body)
    return { version: await publish(tx, body, approvedBy.join(' + '), atMs) }
  }
}

/** The list with every stay, and by when terminals must follow. */
export async function listOfCities (ledger: Ledger): Promise<CityList> {
  const { policies } = await ledger.registry()
  const deadlines = cityDeadlines(policies)
  return {
    version: await lastCityVersion(ledger.db),
    cities: (await readCities(ledger.db)).map(({ prefix, city, addedAtMs, deletedAtMs }) => ({
      prefix, city, addedAt: formatIso(addedAtMs),
      deletedAt: deletedAtMs === null ? null : formatIso(deletedAtMs),
      terminalsBy: formatIso(terminalsByMs({ addedAtMs, deletedAtMs }, deadlines))
    }))
  }
}

export const cityDeadlines = ({ cityAddDays, cityGraceDays }: Policies): CityDeadlines =>
  ({ addMs: cityAddDays * dayMs, graceMs: cityGraceDays * dayMs })
const dayMs = 86_400_000

/** A city on the list is never one of ours, and somebody owes for its cards. */
async function check (tx: Tx, ledger: Ledger, { add, remove }: CityPublication): Promise<void> {
  await lockPublication(tx)
  const { accounts, policies } = await ledger.registry()
  const centre = accountCode('commerce', 'receivable-agent', policies.nationalCentre)
  if (add.length > 0 && !accounts.has(centre)) {
    throw new Refusal('registry_invalid',
      `${policies.nationalCentre}, which owes for cards of other cities, is not registered as a centre`)
  }
  const own = await ownPrefix(tx, add.map(({ prefix }) => prefix))
  if (own !== null) throw new Refusal('registry_invalid', `cards under ${own} were issued here`, '/add')
  const stays = await readCities(tx)
  const standing = new Map(stays.filter(({ deletedAtMs }) => deletedAtMs === null)
    .map(one => [one.prefix, one]))
  // The last stay of each counts.
  const leftAtMs = new Map(stays.map(({ prefix, deletedAtMs }) => [prefix, deletedAtMs ?? 0]))
  for (const [index, { prefix, at }] of remove.entries()) {
    const one = standing.get(prefix)
    const atMs = instantIn(at, `/remove/${index}/at`)
    if (one === undefined || atMs < one.addedAtMs) {
      throw new Refusal('registry_invalid', `${prefix} is not on the list then`, `/remove/${index}`)
    }
    standing.delete(prefix)
    leftAtMs.set(prefix, atMs)
  }
  for (const [index, { prefix, at }] of add.entries()) {
    const atMs = instantIn(at, `/add/${index}/at`)
    if (standing.has(prefix) || add.findIndex(one => one.prefix === prefix) !== index) {
      throw new Refusal('registry_invalid', `${prefix} is on the list already`, `/add/${index}`)
    }
    if (atMs < (leftAtMs.get(prefix) ?? 0)) {
      throw new Refusal('registry_invalid', `${prefix} had not left the list by then`, `/add/${index}`)
    }
  }
}

async function publish (
  tx: Tx, { add, remove }: CityPublication, by: string, atMs: number
): Promise<number> {
  const version = await lastCityVersion(tx) + 1
  await insertCityVersion(tx, version, atMs)
  await closeCities(tx, version, remove.map(({ prefix, at }) => ({ prefix, deletedAtMs: parseIso(at) })))
  await insertCities(tx, version, add.map(({ at, ...one }) => ({ ...one, addedAtMs: parseIso(at) })))
  await bumpVersion(tx) // verdicts look at the list
  const deed = { by, action: 'cities.publish', subject: `cities/${version}`, detail: { add, remove } }
  await audit(tx, atMs, deed)
  return version
}
