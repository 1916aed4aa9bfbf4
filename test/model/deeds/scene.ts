// What every deed of a history is done with: the ledger and its model, chance, and a database that now and
// then goes away in the middle. Each deed is done with both and says what both answered.
import { localDate, startOfDate } from '../../../runtime/instants.ts'
import type { MoneyRequest } from '../../../schemas/request.ts'
import type { Random } from '../../../terminal-sim/random.ts'
import type { Ledger } from '../../../ledger/ledger.ts'
import { proposalKinds } from '../../../ledger/people/proposal-kinds.ts'
import { decideProposal, startProposal, type Member } from '../../../ledger/people/proposals.ts'
import { Refusal } from '../../../ledger/refusal.ts'
import type { PlannedLoad } from '../history.ts'
import type { Model } from '../model.ts'
import type { ToldTap, World } from '../verdicts.ts'

export type Scene = {
  readonly ledger: Ledger, readonly model: Model, readonly random: Random
  readonly told: readonly ToldTap[]
  /** Loads that chips still wait for. */
  readonly loads: PlannedLoad[]
  /** Whose end no terminal told. */
  readonly silent: { readonly key: string, readonly load: PlannedLoad }[]
  /** Every request that anybody wanted, whether it ever arrived or not. */
  readonly wanted: Map<string, MoneyRequest>
  readonly bank: Bank
  /** The first clearing date that is not cut. */
  openDate: string
  /** How often something was asked while the database went away. */
  crashes: number
}
/** What a bank counts for itself. */
export type Bank = { balanceFen: number, statements: number }
export type Answers = { readonly real: unknown, readonly model: unknown }
export type Deed = (scene: Scene, reference: string) => Promise<Answers>

/** Nothing was asked. */
export const same: Answers = { real: null, model: null }

export const worldOf = ({ ledger, openDate }: Pick<Scene, 'ledger' | 'openDate'>): World => {
  const nowMs = ledger.clock.now()
  return { nowMs, date: localDate(nowMs), openDateMs: startOfDate(openDate) }
}

/* ---- a database that goes away ---- */

/** Does `deed`, now and then once more before, with a database that goes away in the middle of it. */
export async function often<T> (scene: Scene, deed: (ledger: Ledger) => Promise<T>): Promise<T> {
  if (scene.random.int(0, 3) === 0) {
    const flaky = crashing(scene.ledger, scene.random.int(0, 14))
    await deed(flaky).then(() => undefined, (error: unknown) => {
      if (!(error instanceof Crash)) throw error
      scene.crashes++
    })
  }
  return await deed(scene.ledger)
}

class Crash extends Error {}

/**
 * A ledger whose database goes away at the so-and-so-many-th question of its transactions, once; it may have
 * committed, and nobody hears of it.
 */
function crashing (ledger: Ledger, atQuestion: number): Ledger {
  let left = atQuestion
  const connect = async () => {
    const tx = await ledger.db.connect()
    return withOwn(tx, 'query', (...args: unknown[]) => {
      const ask = () => (tx.query as (...args: unknown[]) => unknown)(...args)
      if (String(args[0]).startsWith('rollback') || left-- !== 0) return ask()
      if (typeof args[0] !== 'string') throw new Crash() // a COPY is asked for by no promise
      return Promise.resolve(args[0] === 'commit' ? ask() : null).then(() => { throw new Crash() })
    })
  }
  return { ...ledger, db: withOwn(ledger.db, 'connect', connect) }
}

/** `of` with one method of our own. */
const withOwn = <T extends object>(of: T, name: keyof T, method: unknown): T => new Proxy(of, {
  get: (target, key) => {
    const value: unknown = key === name ? method : Reflect.get(target, key)
    return typeof value === 'function' && key !== name ? value.bind(target) as unknown : value
  }
})

/* ---- people ---- */

export const member = (name: string, role: Member['roles'][number]): Member =>
  ({ name, roles: [role], branch: null, party: null })

/** What `deed` says, or null where it is refused. */
export const orRefused = async <T>(deed: Promise<T>): Promise<T | null> =>
  await deed.catch((error: unknown) => {
    if (error instanceof Refusal) return null
    throw error
  })

/** Why `deed` is refused, or `ok`. */
export const reasonOf = async (deed: Promise<unknown>): Promise<string> =>
  await deed.then(() => 'ok', (error: unknown) => {
    if (error instanceof Refusal) return error.reason
    throw error
  })

type Proposal = {
  readonly kind: string, readonly body: object
  /** Who starts it. */
  readonly by?: Member['roles'][number]
  /** How many approve it. */
  readonly approvals?: 1 | 2
}

/** One starts it, others approve it; false where it cannot be started. */
export async function propose (
  ledger: Ledger, { kind, body, by = 'clerk', approvals = 1 }: Proposal
): Promise<boolean> {
  const proposal = { kind, body, reason: 'looked at by several people' }
  const id = await orRefused(startProposal(ledger, proposalKinds, member('starter', by), proposal))
  if (id === null) return false
  for (const name of ['approver-1', 'approver-2'].slice(0, approvals)) {
    await decideProposal(ledger, proposalKinds, member(name, 'approver'), id, { approves: true, note: null })
  }
  return true
}
