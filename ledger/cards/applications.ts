// Applications for cards: from the counter through authorities and the maker to the hand of the holder, each
// step by who may take it. It refuses to know how a card is made.
import { formatIso } from '../../runtime/instants.ts'
import {
  type ApplicationMove, type ApplicationState, applicationWays, type ApplicationView, type NewApplication,
  type Way
} from '../../schemas/card-application.ts'
import { isNamed } from '../../schemas/card-life.ts'
import type { CardRef } from '../../schemas/record.ts'
import { audit } from '../people/audit.ts'
import { requireOwnBranch, type Member } from '../people/proposals.ts'
import { openDateOf } from '../open-date.ts'
import { Refusal } from '../refusal.ts'
import {
  findApplication, insertApplication, insertStep, lockApplication, readSteps, type ApplicationRow
} from '../store/card-applications.ts'
import { inTransaction, isTaken, type Db, type Tx } from '../store/db.ts'
import { bindCard } from '../store/holders.ts'
import { news, tell } from '../store/outbox.ts'
import type { CardPlace } from '../store/parameters.ts'
import { lockedLife, makeMove, requireMove, type LifeBook } from './card-life.ts'
import { ofOwnBranch } from './holders.ts'

/** Its number. Throws Refusal not_found, other_branch, conditions_not_met. */
export async function applyForCard (
  ledger: LifeBook, by: Member, { holder, type, why }: NewApplication
): Promise<bigint> {
  const atMs = ledger.clock.now()
  return await inTransaction(ledger.db, async tx => {
    const { holderId } = await ofOwnBranch(tx, by, holder)
    if (!isNamed(type)) {
      throw new Refusal('conditions_not_met', `a card of type ${type} is simply sold`, '/type')
    }
    const no = await insertApplication(tx, { holderId, type, why, atMs })
    const row = { applicationNo: no, type, holder, state: 'applied', card: null } as const
    await tellRegistry(tx, ledger, row, { atMs, told: null })
    await audit(tx, atMs, {
      by: by.name, action: 'application.enter', subject: `application/${no}`, detail: { holder, type, why }
    })
    return no
  })
}

/**
 * The next step. With `made` the card is named, and kept back until it is `issued`: then it is enabled, and
 * its holder's. Throws Refusal not_found, other_branch, forbidden, conditions_not_met.
 */
export async function moveApplication (
  ledger: LifeBook, by: Member, no: bigint, { to, card: ref, reason }: ApplicationMove
): Promise<void> {
  await inTransaction(ledger.db, async tx => {
    await openDateOf(tx)
    const row = await lockApplication(tx, no)
    if (row === null) throw new Refusal('not_found', `there is no application ${no}`)
    requireOwnBranch(by, [row.branch])
    requireWay(row, wayOf(row, to), by)
    if ((ref !== undefined) !== (to === 'made')) {
      throw new Refusal('conditions_not_met', 'a card is named where it was made, and nowhere else', '/card')
    }
    const became = ref === undefined ? null : await keepBack(tx, ledger, by, row, ref)
    if (to === 'issued') await handOver(tx, ledger, by, row)
    await takeStep(tx, ledger, { ...row, card: ref ?? row.card }, { to, by: by.name, reason }, became)
  })
}

/**
 * A step that may be taken: down as a row, on the event stream, in the audit log. `became`: the card that was
 * made; `told`: the message of the registry that it comes of.
 */
export async function takeStep (
  tx: Tx, ledger: LifeBook, row: ApplicationRow,
  { to, by, reason, told = null }: {
    readonly to: ApplicationState, readonly by: string, readonly reason: string, readonly told?: string | null
  },
  became: CardPlace | null = null
): Promise<void> {
  const { applicationNo: no, state: from } = row
  const atMs = ledger.clock.now()
  await writeStep(tx, no, { from, to, by, reason, atMs }, became)
  await tellRegistry(tx, ledger, { ...row, state: to }, { atMs, told })
  const detail = { from, to, reason }
  await audit(tx, atMs, { by, action: 'application.move', subject: `application/${no}`, detail })
}

/** A registry of social-security cards hears of applications for its cards. */
async function tellRegistry (
  tx: Tx, { nameCard }: LifeBook,
  { applicationNo, type, holder, state, card }:
  Pick<ApplicationRow, 'applicationNo' | 'type' | 'holder' | 'state' | 'card'>,
  { atMs, told }: { readonly atMs: number, readonly told: string | null }
): Promise<void> {
  if (type !== 'social-security') return
  const data = {
    application: Number(applicationNo), holder, state, card: card === null ? null : nameCard(card),
    by: told === null ? 'house' : 'registry', message: told, at: formatIso(atMs)
  } as const
  const subject = `application/${applicationNo}`
  await tell(tx, [news({ topic: 'social.application', subject, data, party: null })], atMs)
}

/** Throws Refusal conditions_not_met where no way leads there. */
function wayOf ({ state, type }: ApplicationRow, to: string): Way {
  const ways = applicationWays[state].filter(({ only, except }) =>
    (only === undefined || only === type) && except !== type)
  const way = ways.find(one => one.to === to)
  if (way !== undefined) return way
  const next = ways.length === 0 ? 'nothing' : ways.map(one => one.to).join(', ')
  throw new Refusal('conditions_not_met', `the application is ${state}; ${next} may follow`, '/to')
}

function requireWay ({ state }: ApplicationRow, { by: roles, to }: Way, by: Member): void {
  if (by.roles.some(role => roles.includes(role))) return
  throw new Refusal('forbidden', `from ${state} to ${to} is for ${roles.join(', ')}`, '/to')
}

async function keepBack (
  tx: Tx, ledger: LifeBook, by: Member, { type }: ApplicationRow, ref: CardRef
): Promise<CardPlace> {
  const life = await lockedLife(tx, by, ref)
  if (life.type !== type) throw new Refusal('conditions_not_met', `the card is of type ${life.type}`, '/card')
  if (life.holder !== null) throw new Refusal('conditions_not_met', 'the card is somebody\'s', '/card')
  const reason = 'made for an application'
  await requireMove(tx, ledger, life, 'withhold')
  await makeMove(tx, ledger, { ref, life, move: 'withhold', by: by.name, reason })
  return life
}

async function handOver (
  tx: Tx, ledger: LifeBook, by: Member, { card: ref, holderId, holder }: ApplicationRow
): Promise<void> {
  if (ref === null) throw new Refusal('conditions_not_met', 'no card was made for it')
  const life = await lockedLife(tx, by, ref)
  await requireMove(tx, ledger, life, 'enable')
  await bindCard(tx, life, holderId, ledger.clock.now())
  const held = { ...life, holderId, holder }
  await makeMove(tx, ledger, { ref, life: held, move: 'enable', by: by.name, reason: 'handed over' })
}

async function writeStep (
  tx: Tx, no: bigint, step: Parameters<typeof insertStep>[2], became: CardPlace | null
): Promise<void> {
  try {
    await insertStep(tx, no, step, became)
  } catch (error) {
    if (!isTaken(error)) throw error
    throw new Refusal('conditions_not_met', 'the card is of another application', '/card')
  }
}

/** Throws Refusal not_found. */
export async function viewApplication (db: Db, no: bigint): Promise<ApplicationView> {
  const row = await findApplication(db, no)
  if (row === null) throw new Refusal('not_found', `there is no application ${no}`)
  return await shownApplication(db, row)
}

export async function shownApplication (
  db: Db, { applicationNo, holder, type, why, state, card, appliedAtMs }: ApplicationRow
): Promise<ApplicationView> {
  const steps = await readSteps(db, applicationNo)
  return {
    application: Number(applicationNo), holder, type, why, state, card, appliedAt: formatIso(appliedAtMs),
    steps: steps.map(({ atMs, ...step }) => ({ ...step, at: formatIso(atMs) }))
  }
}
