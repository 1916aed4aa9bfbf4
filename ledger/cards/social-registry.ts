// What the registry of social-security cards tells, done to cards and applications: each message once, in
// whatever order they come, each move in the audit log and on the event stream. It refuses to know the line.
import { formatIso } from '../../runtime/instants.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import type { CardState } from '../../schemas/card-life.ts'
import type { CardRef } from '../../schemas/record.ts'
import {
  questionOf, type SocialApplicationMessage, socialAnswers, type SocialAnswer, type SocialCardMessage,
  type SocialCardView, type SocialReply
} from '../../schemas/social-security.ts'
import { decideAnswer, decideWord, saidBy, toldOf } from '../core/social-word.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import { audit } from '../people/audit.ts'
import type { Member } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { lockApplication } from '../store/card-applications.ts'
import { readMoves, type LifeRow } from '../store/card-life.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import {
  findSocialMessage, insertSocialMessage, readSocialCards, socialAnswersOf, socialMessagesOf,
  type SocialCardRow, type SocialMessageRow
} from '../store/social-registry.ts'
import { takeStep } from './applications.ts'
import { lockedCard, makeMove, type LifeBook } from './card-life.ts'
import { lockBoth, replaceLocked } from './replace.ts'

/** A message, but for what comes of it. */
type Said = Omit<SocialMessageRow, 'outcome' | 'state'>

/**
 * The registry says something of a card. Throws Refusal not_found, conditions_not_met, request_conflict, and
 * what stands against a replacement.
 */
export async function takeCardMessage (
  ledger: LifeBook, by: Member, ref: CardRef, message: SocialCardMessage
): Promise<SocialReply> {
  const { says, to, reason } = message
  if ((to !== undefined) !== (says === 'replaced')) {
    const what = 'the next card is named where one was replaced, and nowhere else'
    throw new Refusal('conditions_not_met', what, '/to')
  }
  const told = await inTransaction(ledger.db, async tx => {
    if (to !== undefined) await lockBoth(tx, [ref, to])
    const life = await lockedCard(tx, ref)
    if (life.type !== 'social-security') {
      throw new Refusal('not_found', `the card is of type ${life.type}: none of social security`, '/card')
    }
    const said: Said = {
      ...saidIn(ledger, by, message), card: { bucket: life.bucket, cardId: life.cardId }, applicationNo: null,
      says, nextCard: to === undefined ? null : ledger.nameCard(to)
    }
    const first = await firstReply(tx, said)
    if (first !== null) return first
    const { outcome, move } = await decideFor(tx, life, said, says)
    const reply = { outcome, state: move === null ? life.state : ends[move] ?? life.state }
    await insertSocialMessage(tx, { ...said, ...reply })
    if (move === 'replace' && to !== undefined) {
      // The old card is not there for us to read, and a fee is the registry's own affair.
      const wanted = { to, why: 'other', chip: null, reason } as const
      await replaceLocked(tx, ledger, by, ref, wanted, { told: said.id })
    } else if (move !== null) {
      await makeMove(tx, ledger, { ref, life, move, by: by.name, reason, told: said.id })
    }
    await auditTold(tx, ledger, said, reply, `card/${ledger.nameCard(ref)}`)
    killPoint('before-social-commit')
    return { id: said.id, ...reply, replayed: false }
  })
  killPoint('after-social-commit')
  return told
}
const ends: Readonly<Record<string, CardState>> = {
  registry_lost: 'loss', registry_lifted: 'normal', registry_cancelled: 'void', replace: 'void'
}

async function decideFor (
  tx: Tx, life: LifeRow, { saidAtMs }: Said, says: SocialCardMessage['says']
): Promise<ReturnType<typeof decideWord>> {
  const before = await socialMessagesOf(tx, life)
  const isFinal = says === 'cancelled' || says === 'replaced'
  if (life.state === 'void' || life.state === 'cancelled') {
    const isReplaced = before.some(one => one.says === 'replaced')
    if (!isFinal || (says === 'cancelled' && !isReplaced)) return { outcome: 'noted', move: null }
    throw new Refusal('conditions_not_met', `the card is ${life.state} already`, '/says')
  }
  const told = toldOf(before.map(one => ({ says: one.says, atMs: one.saidAtMs })))
  const said = [...saidBy(await readMoves(tx, life)), ...told]
  return decideWord({ says, atMs: saidAtMs }, { state: life.state, said })
}

/**
 * The registry answers about an application. Throws Refusal not_found, conditions_not_met, request_conflict.
 */
export async function takeApplicationMessage (
  ledger: LifeBook, by: Member, no: bigint, message: SocialApplicationMessage
): Promise<SocialReply> {
  const { to, reason } = message
  const told = await inTransaction(ledger.db, async tx => {
    await openDateOf(tx)
    const row = await lockApplication(tx, no)
    if (row?.type !== 'social-security') {
      throw new Refusal('not_found', `there is no application ${no} for a card of social security`)
    }
    const said: Said = {
      ...saidIn(ledger, by, message), card: null, applicationNo: no, says: to, nextCard: null
    }
    const first = await firstReply(tx, said)
    if (first !== null) return first
    const decision = decideAnswer({ to, atMs: said.saidAtMs },
      { state: row.state, given: await givenBefore(tx, no, to) })
    if (decision.outcome === 'refused') {
      throw new Refusal('conditions_not_met', `application ${no}: ${decision.why}`, '/to')
    }
    const isMoved = decision.outcome === 'moved'
    const reply = { outcome: decision.outcome, state: isMoved ? to : row.state }
    await insertSocialMessage(tx, { ...said, ...reply })
    if (isMoved) await takeStep(tx, ledger, row, { to, by: by.name, reason, told: said.id })
    await auditTold(tx, ledger, said, reply, `application/${no}`)
    killPoint('before-social-commit')
    return { id: said.id, ...reply, replayed: false }
  })
  killPoint('after-social-commit')
  return told
}

/** The answer to the same question that stands. */
async function givenBefore (
  tx: Tx, no: bigint, to: SocialAnswer
): Promise<{ readonly to: SocialAnswer, readonly atMs: number } | null> {
  const question = questionOf(to)
  const answers = (await socialAnswersOf(tx, no)).flatMap(({ says, saidAtMs, outcome }) => {
    const answer = socialAnswers.find(one => one === says)
    const counts = answer !== undefined && questionOf(answer) === question && outcome !== 'superseded'
    return counts ? [{ to: answer, atMs: saidAtMs }] : []
  })
  return answers.reduce<typeof answers[number] | null>(
    (last, one) => last === null || one.atMs > last.atMs ? one : last, null)
}

/* ---- each message once ---- */

/** Throws Refusal conditions_not_met for what is said to be of a time that has not come. */
function saidIn (
  { clock }: LifeBook, by: Member, { id, at, reason }: SocialCardMessage | SocialApplicationMessage
): Pick<Said, 'id' | 'saidAtMs' | 'reason' | 'client' | 'toldAtMs'> {
  const [saidAtMs, toldAtMs] = [Date.parse(at), clock.now()]
  if (saidAtMs > toldAtMs + clocksDifferMs) {
    throw new Refusal('conditions_not_met', `it is of ${at}, and here it is ${formatIso(toldAtMs)}`, '/at')
  }
  return { id, saidAtMs, reason, client: by.name, toldAtMs }
}
/** Clocks of two computer centres differ by seconds; who is ahead by more would win over every later deed. */
const clocksDifferMs = 60_000

/** Throws Refusal request_conflict where the id was said of something else. */
async function firstReply (tx: Tx, said: Said): Promise<SocialReply | null> {
  const first = await findSocialMessage(tx, said.id)
  if (first === null) return null
  const about = ({ card, applicationNo }: Said) => `${card?.cardId ?? ''}/${applicationNo ?? ''}`
  const field = about(first) !== about(said)
    ? 'id'
    : fields.find(([, column]) => first[column] !== said[column])?.[0]
  if (field === undefined) return { id: said.id, outcome: first.outcome, state: first.state, replayed: true }
  const what = field === 'id' ? 'about something else' : `with another ${field}`
  throw new Refusal('request_conflict', `${said.id} was told before ${what}`, `/${field}`)
}
const fields = [
  ['says', 'says'], ['at', 'saidAtMs'], ['to', 'nextCard'], ['reason', 'reason']
] as const satisfies readonly (readonly [string, keyof Said])[]

/** Last, because it locks the log. */
async function auditTold (
  tx: Tx, { clock }: LifeBook, { id, says, saidAtMs, nextCard, reason, client }: Said,
  { outcome }: Pick<SocialReply, 'outcome'>, subject: string
): Promise<void> {
  const detail = { message: id, says, at: formatIso(saidAtMs), to: nextCard, reason, outcome }
  await audit(tx, clock.now(), { by: client, action: 'social.told', subject, detail })
}

/* ---- looking ---- */

export const viewSocialCards = async (
  { db }: Pick<Ledger, 'db'>, range: { readonly after: bigint | null, readonly limit: number }
): Promise<SocialCardRow[]> => await readSocialCards(db, range)

export const shownSocialCard = ({ nameCard }: Pick<Ledger, 'nameCard'>) =>
  ({ card, holder, state, sinceMs }: SocialCardRow): SocialCardView => ({
    card, name: nameCard(card), holder, state, since: sinceMs === null ? null : formatIso(sinceMs)
  })
