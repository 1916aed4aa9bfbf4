// Residents sign in to look after their own cards: let in once by a code from a counter, then by a password.
// They are known by their document, of which only a keyed hash is kept. It refuses to know the staff: no role
// leads from one to the other.
import { formatIso } from '../../runtime/instants.ts'
import type { Activation, ActivationCode, ResidentSignIn } from '../../schemas/resident.ts'
import { passwordWeakness } from '../core/password.ts'
import { ofOwnBranch } from '../cards/holders.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { inTransaction } from '../store/db.ts'
import {
  closeResidentSession, closeSessionsOfResident, findResident, findResidentOf, holdsActivation,
  openResidentSession, putActivation, removeResident, setResidentPassword, takeActivation,
  type ResidentOfHolder, type ResidentRow
} from '../store/residents.ts'
import { audit } from './audit.ts'
import type { Member } from './proposals.ts'
import { hashOf, hashPassword, provenBy, rightOne, type Claimed } from './sign-in.ts'

/** Long enough to go home and find a quiet hour. */
export const activationDays = 7

/**
 * For somebody who stands at the counter and has shown the document: for the first time, or because the
 * password is forgotten. An earlier code opens nothing any more. Throws Refusal not_found, other_branch.
 */
export async function handOutActivation (
  ledger: Ledger, by: Member, holder: string
): Promise<ActivationCode> {
  const code = ledger.random(32).toString('base64url')
  const atMs = ledger.clock.now()
  const goodUntilMs = atMs + activationDays * 86_400_000
  await inTransaction(ledger.db, async tx => {
    const { holderId } = await ofOwnBranch(tx, by, holder)
    await putActivation(tx, { holderId, codeHash: hashOf(code), by: by.name, goodUntilMs })
    await audit(tx, atMs, { by: by.name, action: 'resident.hand_out', subject: `holder/${holder}` })
  })
  return { code, goodUntil: formatIso(goodUntilMs) }
}

/** Password, code and sessions end; another code leads back. Throws Refusal not_found, other_branch. */
export async function lockResident (ledger: Ledger, by: Member, holder: string): Promise<void> {
  await inTransaction(ledger.db, async tx => {
    const { holderId } = await ofOwnBranch(tx, by, holder)
    if (!await removeResident(tx, holderId)) return
    await audit(tx, ledger.clock.now(), { by: by.name, action: 'resident.lock', subject: `holder/${holder}` })
  })
}

/**
 * Chooses a password with the code; sessions that were open end. Throws Refusal password_weak,
 * credentials_wrong: for somebody who is not entered, has no code, has another, or has waited too long.
 */
export async function activate (ledger: Ledger, { document, code, password }: Activation): Promise<void> {
  const { db, clock } = ledger
  requireStrong(document.number, password, '/password')
  // Before anybody is looked for, so that it costs the same for whoever is there and whoever is not.
  const passwordHash = await hashPassword(password)
  const atMs = clock.now()
  const { holderId, holder } = await rightOne(ledger, claimedBy(ledger, document), async found =>
    found !== null && await holdsActivation(db, found.holderId, hashOf(code), atMs))
  await inTransaction(db, async tx => {
    if (!await takeActivation(tx, holderId, hashOf(code), atMs)) throw new Refusal('credentials_wrong')
    await setResidentPassword(tx, holderId, passwordHash, atMs)
    const sessionsEnded = await closeSessionsOfResident(tx, holderId, null)
    const subject = `holder/${holder}`
    await audit(tx, atMs, { by: subject, action: 'resident.activate', subject, detail: { sessionsEnded } })
  })
}

export type OpenedSession = {
  readonly token: string, readonly expiresAtMs: number, readonly holder: string
}

/** Throws Refusal credentials_wrong. */
export async function signInResident (
  ledger: Ledger, { document, password }: ResidentSignIn
): Promise<OpenedSession> {
  const { holderId, holder } = await provenBy(ledger, claimedBy(ledger, document), password)
  const nowMs = ledger.clock.now()
  const token = ledger.random(32).toString('base64url')
  const expiresAtMs = nowMs + ledger.sessionMs
  await inTransaction(ledger.db, async tx => {
    await openResidentSession(tx, { tokenHash: hashOf(token), holderId, expiresAtMs }, nowMs)
    const subject = `holder/${holder}`
    await audit(tx, nowMs, { by: subject, action: 'session.open', subject })
  })
  return { token, expiresAtMs, holder }
}

export async function signOutResident (
  ledger: Ledger, { holder, sessionId }: { readonly holder: string, readonly sessionId: bigint }
): Promise<void> {
  await inTransaction(ledger.db, async tx => {
    await closeResidentSession(tx, sessionId)
    const subject = `holder/${holder}`
    await audit(tx, ledger.clock.now(), { by: subject, action: 'session.close', subject })
  })
}

/**
 * Another password, for whoever proves the old one; all other sessions of the person end. Throws Refusal
 * credentials_wrong, password_weak.
 */
export async function changeResidentPassword (
  ledger: Ledger, { holder, sessionId }: { readonly holder: string, readonly sessionId: bigint },
  { old, wanted }: { readonly old: string, readonly wanted: string }
): Promise<void> {
  const { db, clock } = ledger
  const found = await provenBy(ledger, claimedHolder(ledger, holder), old)
  const { document } = ledger.personal.open(holder, found)
  if (wanted === old) throw new Refusal('password_weak', 'the new password is the old one', '/wanted')
  requireStrong(document.number, wanted, '/wanted')
  const passwordHash = await hashPassword(wanted)
  const atMs = clock.now()
  await inTransaction(db, async tx => {
    await setResidentPassword(tx, found.holderId, passwordHash, atMs)
    const sessionsEnded = await closeSessionsOfResident(tx, found.holderId, sessionId)
    const subject = `holder/${holder}`
    await audit(tx, atMs, { by: subject, action: 'password.change', subject, detail: { sessionsEnded } })
  })
}

function requireStrong (number: string, password: string, where: string): void {
  const weakness = passwordWeakness(number, password)
  if (weakness !== null) throw new Refusal('password_weak', weakness, where)
}

/** Tries are counted for a document, whoever has it or nobody. */
const claimedBy = (
  { db, personal }: Ledger, document: Activation['document']
): Claimed<ResidentRow> => {
  const identity = personal.identityOf(document)
  return {
    counted: `resident ${identity.toString('hex')}`,
    find: async () => await findResident(db, identity),
    subjectOf: ({ holder }) => `holder/${holder}`
  }
}

/** Somebody who is in already. */
const claimedHolder = ({ db }: Ledger, holder: string): Claimed<ResidentOfHolder> => ({
  counted: `resident ${holder}`,
  find: async () => await findResidentOf(db, holder),
  subjectOf: () => `holder/${holder}`
})
