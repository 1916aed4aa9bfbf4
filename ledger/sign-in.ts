// Staff sign in with name and password. Whoever is refused learns nothing: an unknown name, a wrong password
// and a locked name cost the same work and get the same words.
import { createHash } from 'node:crypto'
import { hash, verify, type Options } from '@node-rs/argon2'
import type { Role } from '../schemas/api.ts'
import type { Ledger } from './ledger.ts'
import { Refusal } from './refusal.ts'
import { inTransaction } from './store/db.ts'
import { clearFailures, closeSession, countFailure, failuresOf, findStaff, openSession }
  from './store/staff.ts'

export const lockOut = { failuresMax: 5, windowMs: 15 * 60_000 } as const

/** Argon2id as OWASP's password storage sheet asks at least: 19 MiB, two passes, one lane. */
const cost: Options = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** Of tokens and machine secrets: they are 256 random bits, so nothing slower is needed. */
export const hashOf = (secret: string): Buffer => createHash('sha256').update(secret, 'utf8').digest()

export const hashPassword = async (password: string): Promise<string> => await hash(password, cost)

/** Nobody's password; made once per process, verified against where there is no such name. */
let decoy: Promise<string> | null = null

export type Session = {
  readonly token: string, readonly expiresAtMs: number,
  readonly roles: readonly Role[]
}

/** Opens a session. Throws Refusal credentials_wrong, also after too many failures of that name. */
export async function signIn (ledger: Ledger, name: string, password: string): Promise<Session> {
  const { db, clock, random, sessionMs } = ledger
  const nowMs = clock.now()
  const nameHash = hashOf(name)
  const failures = await failuresOf(db, nameHash, nowMs - lockOut.windowMs)
  const staff = await findStaff(db, name)
  decoy ??= hashPassword(random(32).toString('hex'))
  const right = await verify(staff?.passwordHash ?? await decoy, password)
  if (staff === null || !right || failures >= lockOut.failuresMax) {
    // Tries while it is locked do not count, or anybody could keep a name locked for good.
    if (failures < lockOut.failuresMax) await countFailure(db, nameHash, nowMs, nowMs - lockOut.windowMs)
    if (failures + 1 === lockOut.failuresMax) {
      ledger.log.warn({ name },
        'too many failed sign-ins: locked for a while')
    }
    throw new Refusal('credentials_wrong')
  }
  const token = random(32).toString('base64url')
  const expiresAtMs = nowMs + sessionMs
  await inTransaction(db, async tx => {
    await clearFailures(tx, nameHash)
    await openSession(tx, { tokenHash: hashOf(token), staffId: staff.staffId, expiresAtMs }, nowMs)
  })
  return { token, expiresAtMs, roles: staff.roles }
}

export const signOut = async ({ db }: Ledger, token: string): Promise<void> => await closeSession(db,
  hashOf(token))
