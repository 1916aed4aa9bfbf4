// Who holds a social-security card: selection by either name, files 05 and 06 record by record, and what they
// say. Nothing is written. It refuses to know whom it is told and how long it is kept.
import { readRecord, selectByName } from '../../schemas/epurse/apdu.ts'
import { isLocked, isOk, describeStatus } from '../../schemas/epurse/status-words.ts'
import type { TapReason } from '../../schemas/gateway.ts'
import { type SsseFile, ssseNames } from '../../schemas/ssse/files.ts'
import { type Identity, type IdentityRules, identityIn } from '../../schemas/ssse/identity.ts'
import type { Answer, Channel, Step } from './exchange.ts'

export type IdentityRead =
  | { readonly kind: 'read', readonly identity: Identity }
  | { readonly kind: 'refused', readonly reason: TapReason, readonly why?: string }
  /** No social-security card, or its application is locked. */
  | { readonly kind: 'absent' | 'locked' }

/** `greeting`: answers to `identityGreeting` where the card has been asked already. */
export async function readIdentity (
  card: Channel, greeting: readonly Answer[] | null, rules: IdentityRules
): Promise<IdentityRead> {
  let answers = greeting
  let locked = false
  for (const name of ssseNames) {
    const [selected, ...first] = answers ?? await card.run(stepsFor(name))
    answers = null
    if (selected === undefined || selected.kind === 'unknown') return left
    if (isOk(selected.sw)) return await readFiles(card, first, rules)
    locked ||= isLocked(selected.sw)
  }
  return { kind: locked ? 'locked' : 'absent' }
}

/** By number: which generation has which tag at which place is not settled, each record names its own. */
const recordsOf = (file: SsseFile): Step[] => Array.from({ length: recordsMax }, (_, index) =>
  ({ command: readRecord(file, index + 1, 0), goOn: 'if_ok' }))
/** Cards have six or seven; the one behind the last answers 6A83. */
const recordsMax = 16

const stepsFor = (name: Uint8Array): Step[] =>
  [{ command: selectByName(name), goOn: 'if_ok' }, ...recordsOf(0x05)]

/** What is said first to a card at a lane that reads identities. */
export const identityGreeting: readonly Step[] = stepsFor(ssseNames[0])

const left: IdentityRead = { kind: 'refused', reason: 'card_removed' }

async function readFiles (
  card: Channel, first: readonly Answer[], rules: IdentityRules
): Promise<IdentityRead> {
  const one = recordsIn(0x05, first)
  if ('kind' in one) return one
  const other = recordsIn(0x06, await card.run(recordsOf(0x06)))
  if ('kind' in other) return other
  const found = identityIn({ 0x05: one.records, 0x06: other.records }, rules)
  if (found.ok) return { kind: 'read', identity: found.identity }
  const { reason, why } = found
  return { kind: 'refused', reason, ...why === undefined ? {} : { why } }
}

function recordsIn (
  file: SsseFile, answers: readonly Answer[]
): { readonly records: readonly Uint8Array[] } | IdentityRead {
  const records: Uint8Array[] = []
  for (const answer of answers) {
    if (answer.kind === 'unknown') return left
    if (answer.sw === recordMissing) break
    if (!isOk(answer.sw)) {
      const reason = unauthenticated.has(answer.sw) ? 'identity_guarded' : 'card_unreadable'
      return { kind: 'refused', reason, why: `file 0${file}: ${describeStatus(answer.sw)}` }
    }
    records.push(answer.data)
  }
  return { records }
}

const recordMissing = 0x6A83
/** Security status not met, authentication blocked, no random, conditions not met. */
const unauthenticated: ReadonlySet<number> = new Set([0x6982, 0x6983, 0x6984, 0x6985])
