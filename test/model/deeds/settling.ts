// How dates are settled between deliveries: two people approve, somebody instructs, a bank carries it out,
// brings it back, gets it wrong or says nothing, and people sort out what it left open.
import { localDate } from '../../../runtime/instants.ts'
import { statementFile, statementFormats } from '../../../terminal-sim/bank/statement-file.ts'
import { takeStatements } from '../../../ledger/bank/bank-statements.ts'
import { approveDay, instructDay, replaceInstruction, type Approver } from '../../../ledger/day/settle.ts'
import type { Ledger } from '../../../ledger/ledger.ts'
import { readDay } from '../../../ledger/store/days.ts'
import { inTransaction } from '../../../ledger/store/db.ts'
import { insertHold } from '../../../ledger/store/holds.ts'
import { bankAccounts } from '../city.ts'
import type { Finding, NewLine } from '../settling.ts'
import { often, orRefused, propose, reasonOf, same, type Answers, type Deed, type Scene } from './scene.ts'

const todayOf = ({ ledger }: Scene): string => localDate(ledger.clock.now())

/* ---- people ---- */

/** Some date is approved, and some is instructed, whether it may be or not. */
export const settleSomething: Deed = async scene => {
  const { model: { settling }, random, openDate } = scene
  const cleared = settling.days.filter(({ state }) => state === 'CLEARED')
  const approved = cleared.length === 0 ? same : await approve(scene, random.pick(cleared).date)
  const some = random.pick([openDate, ...settling.days.map(({ date }) => date)])
  const instructed = await instruct(scene, some)
  return { real: [approved.real, instructed.real], model: [approved.model, instructed.model] }
}

/** Everything that can be settled is. What the bank carries out of it, and what it loses of our money. */
export type AtTheBank = { readonly carriesOut: 'payments' | 'everything', readonly lostFen: number }
export async function settleAll (
  scene: Scene, reference: string, { carriesOut, lostFen }: AtTheBank
): Promise<Answers> {
  const { model: { settling } } = scene
  const answers: Answers[] = []
  for (const { date, state } of settling.days) {
    if (state === 'CLEARED') answers.push(await approve(scene, date))
  }
  for (const { date } of settling.days) answers.push(await instruct(scene, date))
  const due = settling.instructions
    .filter(({ state, fen }) => state === 'sent' && (fen > 0 || carriesOut === 'everything'))
    .map(({ id, fen }) => ({ fen: -fen, names: id, from: null }))
  const lost = lostFen === 0 ? [] : [{ fen: -lostFen, names: null, from: null }]
  answers.push(await tell(scene, [...due, ...lost].map((line, nth) =>
    ({ ...line, reference: `${reference}-${nth}` }))))
  return { real: answers.map(({ real }) => real), model: answers.map(({ model }) => model) }
}

/** Where the float is off two people say why it goes on all the same. */
async function approve (scene: Scene, date: string): Promise<Answers> {
  const { ledger, model: { settling } } = scene
  const first = await often(scene, async one => await approveTwice(one, date))
  const expected = settling.approve(date)
  if (expected === 'ok') return { real: first, model: expected }
  await propose(ledger, { kind: 'settlement_override', body: { date }, by: 'settler' })
  settling.override(date)
  const second = await often(scene, async one => await approveTwice(one, date))
  return { real: [first, second], model: [expected, settling.approve(date)] }
}

async function approveTwice (ledger: Ledger, date: string): Promise<string> {
  const digest = (await readDay(ledger.db, date))?.digest
  if (digest === undefined || digest === null) throw new Error(`${date} has no positions`)
  const { rows } = await ledger.db.query<Approver>(`
    select staff_id as "staffId", name from staff where name in ('approver-1', 'approver-2') order by name`)
  for (const approver of rows) {
    const reason = await reasonOf(approveDay(ledger, date, approver, digest))
    if (reason !== 'ok' && reason !== 'self_approval') return reason // who has approved it, has
  }
  return 'ok'
}

async function instruct (scene: Scene, date: string): Promise<Answers> {
  const real = await often(scene, async one => await reasonOf(instructDay(one, date, 'settler')))
  return { real, model: scene.model.settling.instruct(date, todayOf(scene)) }
}

/** Somebody pays once more what came back, or wants to. */
export const replaceSomething: Deed = async scene => {
  const { model: { settling }, random } = scene
  const back = settling.instructions.filter(({ state }) => state === 'returned' || state === 'void')
  const some = back.length === 0 ? settling.instructions : back
  if (some.length === 0) return same
  const { id } = random.pick(some)
  const real = await often(scene, async one => await orRefused(replaceInstruction(one, id, 'settler')))
  return { real, model: settling.replace(id, todayOf(scene)) }
}

/** The bank has never carried something out, people say. */
export const cancelSomething: Deed = async ({ ledger, model: { settling }, random }) => {
  if (settling.instructions.length === 0) return same
  const { id } = random.pick(settling.instructions)
  const real = await propose(ledger, { kind: 'void_instruction', body: { instruction: id }, by: 'settler' })
  return { real, model: settling.cancel(id) }
}

/** Two people find out what a line of the bank was. */
export const attributeSomething: Deed = async ({ ledger, model: { settling }, random }) => {
  const unclear = settling.lines.filter(({ state }) => state === 'unidentified')
  const some = unclear.length === 0 || random.int(0, 5) === 0 ? settling.lines : unclear
  if (some.length === 0) return same
  const { reference } = random.pick(some)
  const account = random.pick(['fee-income', 'merchant-settlement/BUS', 'merchant-settlement/MET'])
  const finding: Finding = settling.instructions.length > 0 && random.int(0, 1) === 0
    ? { instruction: random.pick(settling.instructions).id }
    : { account }
  const { rows: [line] } = await ledger.db.query<{ id: bigint }>(
    'select line_id as id from bank_line where reference = $1', [reference])
  const what = 'account' in finding ? { account: `commerce/${finding.account}` } : finding
  const body = { line: Number(line?.id), ...what }
  const real = await propose(ledger, { kind: 'attribute_line', body, by: 'settler' })
  return { real, model: settling.attribute(reference, finding) }
}

/** A rule holds the settlement of a party from the open date on, or people release what is held. */
export const holdSomething: Deed = async ({ ledger, model: { settling }, random, openDate }) => {
  const party = random.pick(['BUS', 'MET'] as const)
  if (random.int(0, 1) === 0) {
    const real = await propose(ledger, { kind: 'hold_release', body: { party }, by: 'settler' })
    return { real, model: settling.release(party) }
  }
  const about = `terminal/${party}/of a rule`
  const partyId = (await ledger.registry()).parties.get(party)?.partyId ?? 0
  await inTransaction(ledger.db, async tx => await insertHold(tx, {
    partyId, kind: 'fraud_suspicion', about, sinceDate: openDate, atMs: ledger.clock.now(), evidence: {}
  }))
  settling.hold(about, party, openDate)
  return same
}

/* ---- the bank ---- */

/** A statement of the day: what was carried out, what came back, and lines that nobody expects. */
export const bankSomething: Deed = async (scene, reference) => {
  const { model: { settling }, random } = scene
  const inTwelve = (times: number): boolean => random.int(1, 12) <= times
  const about = settling.instructions.flatMap(({ id, fen, paid, returned }) => [
    ...inTwelve(paid ? 1 : 8) ? [{ fen: -fen, names: id, from: null }] : [],
    ...inTwelve(1) ? [{ fen: 7 - fen, names: id, from: null }] : [],
    ...inTwelve(returned ? 1 : 2) ? [{ fen, names: id, from: null }] : []])
  const others = [
    ...inTwelve(4) ? [{ fen: random.int(1, 900), names: null, from: bankAccounts.BUS }] : [],
    ...inTwelve(3) ? [{ fen: random.int(1, 500), names: null, from: '62000000' }] : [],
    ...inTwelve(2) ? [{ fen: -random.int(1, 3_000), names: null, from: bankAccounts.BUS }] : []]
  const lines = random.shuffle([...about, ...others]).filter(({ fen }) => fen !== 0)
  return await tell(scene, lines.map((line, nth) => ({ ...line, reference: `${reference}-${nth}` })))
}

/** The bank tells it, and tells it again. */
async function tell (scene: Scene, lines: readonly NewLine[]): Promise<Answers> {
  const { model: { settling }, random, bank } = scene
  const today = todayOf(scene)
  bank.statements++
  const { text, type } = statementFile(random.pick(statementFormats), {
    account: bankAccounts.house, id: `STATEMENT-${bank.statements}`, sequence: bank.statements,
    fromDate: today, toDate: today, openingFen: bank.balanceFen,
    lines: lines.map(({ reference, fen, names, from }) => ({
      reference, bookedOn: today, amountFen: fen, endToEndId: names ?? undefined,
      counterparty: from ?? undefined
    }))
  })
  bank.balanceFen += lines.reduce((sum, { fen }) => sum + fen, 0)
  const take = async (ledger: Ledger) =>
    await takeStatements(ledger, Buffer.from(text), type === 'text/csv' ? 'csv' : 'xml', 'settler')
  await often(scene, take)
  const { replayed, statements } = await take(scene.ledger)
  const expected: Record<string, number> = {}
  for (const state of settling.tell(lines, today)) expected[state] = (expected[state] ?? 0) + 1
  return { real: [replayed, statements.map(one => one.lines)], model: [true, [expected]] }
}
