// Staff sign in with name and password, change it, and see and end their sessions. Whoever is refused learns
// nothing: an unknown name, a wrong password and a locked name cost the same work and get the same words.
import { createHash } from 'node:crypto'
import { hash, verify, type Options } from '@node-rs/argon2'
import type { Role } from '../../schemas/api.ts'
import type { PersonRole } from '../../schemas/staff.ts'
import { audit } from './audit.ts'
import { passwordWeakness } from '../core/password.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { createTurns, TooMany } from '../../runtime/turns.ts'
import { inTransaction } from '../store/db.ts'
import {
  claimTry, clearFailures, closeSession, closeSessionsOf, findSessionById, findStaff, openSession,
  setPassword, type StaffRow
} from '../store/staff.ts'

export const lockOut = { failuresMax: 5, windowMs: 15 * 60_000 } as const

/** Argon2id as OWASP's password storage sheet asks at least: 19 MiB, two passes, one lane. */
const cost: Options = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** Of tokens and machine secrets: they are 256 random bits, so nothing slower is needed. */
export const hashOf = (secret: string): Buffer => createHash('sha256').update(secret, 'utf8').digest()

export const hashPassword = async (password: string): Promise<string> =>
  await inTurn(() => hash(password, cost))

/** Each takes 19 MiB and a core for 30 ms: whoever signs in by the thousand slows sign-ins, not taps. */
const turns = createTurns({ atOnceMax: 2, waitingMax: 32 })

async function inTurn<Result> (work: () => Promise<Result>): Promise<Result> {
  try {
    return await turns.take(work)
  } catch (error) {
    if (!(error instanceof TooMany)) throw error
    throw new Refusal('unavailable', 'too many sign in at once; try again in a few seconds')
  }
}

/** Nobody's password; made once per process, verified against where there is no such name. */
let decoy: Promise<string> | null = null

export type Session = {
  readonly token: string, readonly expiresAtMs: number, readonly roles: readonly PersonRole[]
  readonly branch: string | null
  /** The company it is a person of; null: a member of staff. */
  readonly party: string | null
  /** Only another password can be chosen with it. */
  readonly mustChange: boolean
}

/** Opens a session. Throws Refusal credentials_wrong, also after too many failures of that name. */
export async function signIn (ledger: Ledger, name: string, password: string): Promise<Session> {
  const { db, clock, random, sessionMs } = ledger
  const nowMs = clock.now()
  const staff = await proven(ledger, name, password)
  const token = random(32).toString('base64url')
  const expiresAtMs = nowMs + sessionMs
  await inTransaction(db, async tx => {
    await openSession(tx, { tokenHash: hashOf(token), staffId: staff.staffId, expiresAtMs }, nowMs)
    await audit(tx, nowMs, { by: name, action: 'session.open', subject: `staff/${name}` })
  })
  const { roles, branch, party, mustChange } = staff
  return { token, expiresAtMs, roles, branch, party, mustChange }
}

/** The member who knows the password; see `provenBy`. */
const proven = async (ledger: Ledger, name: string, password: string): Promise<StaffRow> =>
  await provenBy(ledger, {
    counted: name, find: async () => await findStaff(ledger.db, name), subjectOf: () => `staff/${name}`
  }, password)

/** Somebody who says who he is, of the staff or a resident. */
export type Claimed<Who> = {
  /** What his tries are counted by: the same for nobody as for somebody. */
  readonly counted: string
  /** Null: there is nobody. */
  readonly find: () => Promise<Who | null>
  /** As the audit log names him. */
  readonly subjectOf: (found: Who) => string
}
type Known = { readonly passwordHash: string | null, readonly active?: boolean }

/**
 * Whoever knows the password of whom he says he is. Counts a failure and throws Refusal credentials_wrong
 * otherwise; who has no turn throws Refusal unavailable, which counts as no failure.
 */
export const provenBy = async <Who extends Known>(
  ledger: Ledger, claimed: Claimed<Who>, password: string
): Promise<Who> => await inTurn(async () => await rightOne(ledger, claimed, async found => {
  decoy ??= hash(ledger.random(32).toString('hex'), cost)
  const kept = found?.passwordHash ?? ''
  const known = kept.startsWith('$argon2')
  return await verify(known ? kept : await decoy, password) && known && found?.active !== false
}))

/**
 * The one who is found and holds what `holds` asks for. Counts a failure and throws Refusal credentials_wrong
 * otherwise, after too many for a while without asking.
 */
export async function rightOne<Who> (
  ledger: Ledger, { counted, find, subjectOf }: Claimed<Who>, holds: (found: Who | null) => Promise<boolean>
): Promise<Who> {
  const { db, clock } = ledger
  const nowMs = clock.now()
  const sinceMs = nowMs - lockOut.windowMs
  // Tries while it is locked do not count, or anybody could keep a name locked for good.
  const tries = await inTransaction(db, tx =>
    claimTry(tx, hashOf(counted), { nowMs, sinceMs, triesMax: lockOut.failuresMax }))
  const found = await find()
  const right = await holds(found)
  if (found !== null && right && tries !== null) {
    await inTransaction(db, tx => clearFailures(tx, hashOf(counted)))
    return found
  }
  if (tries === lockOut.failuresMax) {
    // What was typed for a name that nobody has may be a password: the log shows a hash of it.
    const unknown = `name/${hashOf(counted).toString('hex').slice(0, 16)}`
    await noteLock(ledger, found === null ? unknown : subjectOf(found), nowMs)
  }
  throw new Refusal('credentials_wrong')
}

async function noteLock ({ db, log }: Ledger, subject: string, nowMs: number): Promise<void> {
  const detail = { failures: lockOut.failuresMax }
  log.warn({ subject }, 'too many failed sign-ins: locked for a while')
  await inTransaction(db, async tx =>
    await audit(tx, nowMs, { by: 'system', action: 'session.lock', subject, detail }))
}

/** A member in a session of his own. */
export type SignedIn = { readonly name: string, readonly sessionId: bigint }

export async function signOut ({ db, clock }: Ledger, { name, sessionId }: SignedIn): Promise<void> {
  await inTransaction(db, async tx => {
    await closeSession(tx, sessionId)
    await audit(tx, clock.now(), { by: name, action: 'session.close', subject: `staff/${name}` })
  })
}

/**
 * Chooses another password; all other sessions of the member end. Throws Refusal credentials_wrong,
 * password_weak.
 */
export async function changePassword (
  ledger: Ledger, { name, sessionId }: SignedIn, { old, wanted }: { old: string, wanted: string }
): Promise<void> {
  const nowMs = ledger.clock.now()
  const staff = await proven(ledger, name, old)
  const weakness = wanted === old ? 'the new password is the old one' : passwordWeakness(name, wanted)
  if (weakness !== null) throw new Refusal('password_weak', weakness, '/wanted')
  const passwordHash = await hashPassword(wanted)
  await inTransaction(ledger.db, async tx => {
    await setPassword(tx, staff.staffId, passwordHash, false)
    const ended = await closeSessionsOf(tx, staff.staffId, sessionId)
    const detail = { sessionsEnded: ended }
    await audit(tx, nowMs, { by: name, action: 'password.change', subject: `staff/${name}`, detail })
  })
}

/** Ends a session: one's own, or anybody's by an administrator. Throws Refusal not_found, forbidden. */
export async function revokeSession (
  ledger: Ledger, by: { readonly name: string, readonly roles: readonly Role[] }, sessionId: bigint
): Promise<void> {
  await inTransaction(ledger.db, async tx => {
    const session = await findSessionById(tx, sessionId)
    if (session === null) throw new Refusal('not_found', `there is no session ${sessionId}`)
    if (session.name !== by.name && !by.roles.includes('admin')) {
      throw new Refusal('forbidden', `session ${sessionId} is not of ${by.name}`)
    }
    await closeSession(tx, sessionId)
    const subject = `staff/${session.name}`
    await audit(tx, ledger.clock.now(), { by: by.name, action: 'session.revoke', subject })
  })
}
