// Loads: the money goes into pending load when one is approved, and onto the purse when the chip is known to
// have taken it. A load nobody saw the end of waits there until evidence decides: its TAC, the online counter
// of the next load, what the next debit began with, a reading. It refuses to know how requests arrive.
import { createHash } from 'node:crypto'
import { bcdDateTime, localDate } from '../../runtime/instants.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import type { LoadOutcome, LoadOutcomeReply, LoadReply, NewLoad } from '../../schemas/load.ts'
import { answerNumbers, answerReasonOf, reasonNumbers, type AnswerReason } from '../../schemas/reasons.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'
import { logAlerts, raiseAlerts, type Alert } from '../alerts.ts'
import { accountCode } from '../core/chart.ts'
import { byNextBalance, byOnlineCounter, refusalOfLoad, type LoadRefusal } from '../core/load.ts'
import type { Use } from '../core/usage-limits.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import { reconsider } from '../intake/reconsider.ts'
import { Refusal } from '../refusal.ts'
import { findEntries } from '../store/blacklist.ts'
import type { AlertRow } from '../store/alerts.ts'
import { findCards, movePurses, type CardRow } from '../store/cards.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { guardedKey, readGuarded } from '../store/guarded.ts'
import {
  decideLoad, findEvidence, findLoad, findOpenLoads, insertLoad, lastWritten, pendingOf, type LoadRow
} from '../store/loads.ts'
import { lockPurses } from '../store/lock.ts'
import { postBatch } from '../store/post.ts'
import { accountId, isEnded, type Snapshot } from '../store/registry.ts'
import type { LoadAnswer } from '../tac/load-keys.ts'
import { aboutCard } from '../watch/chains.ts'
import { note } from './note.ts'
import { postGuarded } from './post-guarded.ts'
import { breachesIn, countUses } from './within-limits.ts'

type Posting = Pick<Ledger, 'db' | 'clock' | 'random' | 'registry'>
export type LoadBook = Posting & Pick<Ledger, 'tac' | 'log'>
type Asking = { readonly client: string, readonly load: NewLoad }

/** Throws Refusal request_conflict, unavailable. */
export async function askLoad (ledger: LoadBook, { client, load }: Asking): Promise<LoadReply> {
  const snapshot = await ledger.registry()
  const atMs = ledger.clock.now()
  const card = (await findCards(ledger.db, [load.card])).get(cardKey(load.card)) ?? null
  const dateTime = Buffer.from(bcdDateTime(atMs))
  const macs = await checkMacs(ledger, load, card, dateTime)
  const reply = await inTransaction(ledger.db, async tx => {
    const clearingDate = await openDateOf(tx)
    if (card === null) return declinedUnseen(load, 'card_unknown', clearingDate)
    await lockPurses(tx, [card])
    const first = await findLoad(tx, card.bucket, client, load.key)
    if (first !== null) return again(load, first)
    await settleByCounter(tx, ledger, snapshot, card, load.chip.onlineCounter, atMs)
    const refusal = await refusalIn(tx, snapshot, load, card, macs) ??
      await limitIn(tx, snapshot, load, card, atMs)
    const row = await writeDown(tx, ledger, snapshot, {
      client, load, card, dateTime, macs, clearingDate, atMs, refusal
    })
    killPoint('before-load-commit')
    return replyOf(row, false)
  })
  killPoint('after-load-commit')
  return reply
}

async function checkMacs (
  ledger: LoadBook, { chip, amountFen, terminal, card: { serial } }: NewLoad, card: CardRow | null,
  dateTime: Buffer
): Promise<LoadAnswer> {
  if (card === null) return { known: false, right: false, mac2: null }
  return await ledger.tac.load({
    ask: 'macs', suite: card.suite, keyVersion: chip.keyVersion, cardFactor: serial.slice(4),
    balanceFen: Math.max(0, chip.balanceFen), amountFen, counter: chip.onlineCounter, terminal,
    dateTime: hexOf(dateTime), random: chip.random, mac1: chip.mac1
  })
}
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex').toUpperCase()

async function refusalIn (
  tx: Tx, snapshot: Snapshot, load: NewLoad, card: CardRow, macs: LoadAnswer
): Promise<LoadRefusal | null> {
  const listed = await findEntries(tx, [card])
  const online = guardedKey({ accountId: accountId(snapshot, 'commerce', 'online'), heading: 'online' }, card)
  return refusalOfLoad({
    source: load.source,
    amountFen: BigInt(load.amountFen),
    partyKnown: agentOf(snapshot, load.party) !== null,
    card: {
      type: card.cardType,
      blocked: card.state !== 'normal' || listed.some(entry => entry.removedVersion === null)
    },
    key: macs,
    chip: { balanceFen: BigInt(load.chip.balanceFen), onlineCounter: load.chip.onlineCounter },
    lastWritten: await lastWritten(tx, card),
    onlineFen: (await readGuarded(tx, online))?.balanceFen ?? 0n,
    pendingFen: await pendingOf(tx, card, pendingAccount(snapshot)),
    policies: snapshot.policies
  })
}

/** Limits of a day ask of money that is taken in; what waits for its chip was counted when it came. */
async function limitIn (
  tx: Tx, snapshot: Snapshot, load: NewLoad, card: CardRow, atMs: number
): Promise<LoadRefusal | null> {
  if (load.source !== 'agent') return null
  const asked = { use: useOf(card, load.party, load.terminal, atMs), fen: BigInt(load.amountFen) }
  return (await breachesIn(tx, snapshot, [asked]))[0] ?? null
}

const useOf = (
  { bucket, cardId }: Pick<CardRow, 'bucket' | 'cardId'>, operator: string | null, terminal: string,
  atMs: number
): Use => ({ of: 'load', card: { bucket, cardId }, operator, terminal, date: localDate(atMs) })

const pendingAccount = (snapshot: Snapshot): number => accountId(snapshot, 'commerce', 'pending-load')

/** What an agent has paid in, or what it owes; null where the party sells no loads. */
export function agentOf (snapshot: Snapshot, code: string): number | null {
  const party = snapshot.parties.get(code)
  if (party?.kind !== 'agent' && party?.kind !== 'operator') return null
  const heading = party.prepaid ? 'agent-prepaid' : 'receivable-agent'
  const account = snapshot.accounts.get(accountCode('commerce', heading, code))
  return account === undefined || isEnded(snapshot, account) ? null : account
}

type Decided = Asking & {
  readonly card: CardRow, readonly dateTime: Buffer, readonly macs: LoadAnswer, readonly clearingDate: string
  readonly atMs: number, readonly refusal: LoadRefusal | null
}

/** From here on only what the agent has paid in can still say no. */
async function writeDown (
  tx: Tx, ledger: LoadBook, snapshot: Snapshot, decided: Decided
): Promise<Omit<LoadRow, 'loadId' | 'decidedAtMs'>> {
  const { client, load, card, dateTime, macs, clearingDate, atMs, refusal } = decided
  const agentAccount = load.source === 'agent' ? agentOf(snapshot, load.party) : null
  const journalId = refusal === null && agentAccount !== null
    ? await takeFromAgent(tx, ledger, snapshot, decided, agentAccount)
    : null
  if (journalId !== null) {
    const use = useOf(card, load.party, load.terminal, atMs)
    await countUses(tx, snapshot, [{ use, fen: BigInt(load.amountFen) }])
  }
  const unpaid = agentAccount !== null && journalId === null
  const reason = refusal?.reason ?? (unpaid ? 'agent_insufficient' : 'ok')
  const approved = reason === 'ok'
  const row = {
    bucket: card.bucket, cardId: card.cardId, client, key: load.key, digest: digestOf(load),
    source: load.source, partyId: snapshot.parties.get(load.party)?.partyId ?? null,
    amountFen: BigInt(load.amountFen), offlineCounter: load.chip.offlineCounter,
    onlineCounter: load.chip.onlineCounter, balanceFen: BigInt(load.chip.balanceFen),
    keyVersion: load.chip.keyVersion, terminal: Buffer.from(load.terminal, 'hex'), dateTime,
    mac2: approved && macs.mac2 !== null ? Buffer.from(macs.mac2) : null, outcome: approved ? 0 : 1,
    reason: answerNumbers[reason], rule: refusal?.rule ?? null,
    state: approved ? 'open' as const : 'declined' as const, evidence: null,
    journalId, agentAccount, clearingDate, requestedAtMs: atMs
  }
  await note(tx, ledger, { table: 'load', clearingDate, atMs }, notedIn => insertLoad(tx, row, notedIn))
  return row
}

/** The transfer it made, or null where the agent has paid in too little. */
async function takeFromAgent (
  tx: Tx, ledger: LoadBook, snapshot: Snapshot, { load, card, clearingDate, atMs }: Decided, agent: number
): Promise<bigint | null> {
  const { results: [result] } = await postGuarded(tx,
    { kind: 'requests', clearingDate, createdAtMs: atMs, salt: ledger.random(16), items: 1 }, [{
      transfers: [{
        bucket: card.bucket, cardId: card.cardId, code: 'sale_load', book: 'commerce', debit: agent,
        credit: pendingAccount(snapshot), amountFen: BigInt(load.amountFen), eventAtMs: atMs
      }]
    }], { accounts: snapshot.guarded, ceilingOf: () => null })
  return result?.outcome === 'posted' ? result.transferIds[0] ?? null : null
}

/* ---- repeats ---- */

const digestOf = (load: NewLoad): Buffer => createHash('sha256').update(JSON.stringify([
  cardKey(load.card), load.source, load.amountFen, load.party, load.terminal, load.chip.onlineCounter,
  load.chip.random
])).digest()

function again (load: NewLoad, first: LoadRow): LoadReply {
  if (first.digest.length === 0) return { ...replyOf(first, true), amountFen: 0 }
  if (first.digest.equals(digestOf(load))) return replyOf(first, true)
  throw new Refusal('request_conflict', `${load.key} was used before for another load`, '/key')
}

function replyOf (row: Omit<LoadRow, 'loadId' | 'decidedAtMs'>, replayed: boolean): LoadReply {
  const approved = row.outcome === 0
  return {
    key: row.key,
    outcome: approved ? 'approved' : 'declined',
    reason: answerReasonOf(row.reason),
    ...row.rule === null ? {} : { rule: row.rule },
    replayed,
    amountFen: approved ? Number(row.amountFen) : 0,
    dateTime: approved ? hexOf(row.dateTime) : null,
    mac2: row.mac2 === null ? null : hexOf(row.mac2),
    state: row.state,
    clearingDate: row.clearingDate
  }
}

const declinedUnseen = ({ key }: NewLoad, reason: AnswerReason, clearingDate: string): LoadReply => ({
  key, outcome: 'declined', reason, replayed: false, amountFen: 0, dateTime: null, mac2: null,
  state: 'declined', clearingDate
})

/* ---- what the chip did ---- */

/**
 * What a terminal saw of its load. A withdrawal that comes before the load itself is kept: the load is
 * declined when it comes. Throws Refusal not_found, unavailable.
 */
export async function tellLoad (
  ledger: LoadBook, { client, told }: { readonly client: string, readonly told: LoadOutcome }
): Promise<LoadOutcomeReply> {
  const snapshot = await ledger.registry()
  const atMs = ledger.clock.now()
  const card = (await findCards(ledger.db, [told.card])).get(cardKey(told.card))
  if (card === undefined) throw new Refusal('not_found', 'no such card was issued', '/card')
  const known = await findLoad(ledger.db, card.bucket, client, told.key)
  const tacRight = known === null || told.outcome !== 'written'
    ? null
    : await isTacRight(ledger, snapshot, card, known, told)
  let alerts: AlertRow[] = []
  const reply = await inTransaction(ledger.db, async tx => {
    const clearingDate = await openDateOf(tx)
    await lockPurses(tx, [card])
    const row = await findLoad(tx, card.bucket, client, told.key)
    if (tacRight === false) {
      alerts = await raiseAlerts(tx, [wrongTac(client, told, card, clearingDate)], atMs)
    }
    if (row === null) return await forbid(tx, ledger, { client, told, card, clearingDate, atMs })
    const written = writtenBy(row, told, tacRight)
    if (row.state === 'open' && written !== null) {
      const tac = told.tac === undefined ? null : Buffer.from(told.tac, 'hex')
      await settle(tx, ledger, snapshot, row, written, told.outcome, atMs, tac)
    }
    killPoint('before-load-outcome-commit')
    const after = await findLoad(tx, card.bucket, client, told.key)
    return {
      key: told.key, state: after?.state ?? row.state, ...(tacRight === null ? {} : { tacRight })
    }
  })
  killPoint('after-load-outcome-commit')
  logAlerts(ledger, alerts)
  return reply
}

const wrongTac = (
  client: string, { card, key }: LoadOutcome, { cardId }: CardRow, clearingDate: string
): Alert => ({
  kind: 'load_tac_wrong', about: `${aboutCard(card)}#${cardId}`, clearingDate, evidence: { client, key }
})

/** Null: what was told decides nothing. */
function writtenBy (
  row: LoadRow, { outcome, onlineCounter }: LoadOutcome, tacRight: boolean | null
): boolean | null {
  if (outcome === 'counted') return onlineCounter === undefined ? null : byOnlineCounter(row, onlineCounter)
  return tacRight === false ? null : outcome === 'written'
}

async function isTacRight (
  ledger: LoadBook, { policies }: Snapshot, card: CardRow, row: LoadRow, told: LoadOutcome
): Promise<boolean> {
  const answer = await ledger.tac.load({
    ask: 'tac', suite: card.suite, keyVersion: row.keyVersion, cardFactor: told.card.serial.slice(4),
    balanceFen: Math.max(0, Number(row.balanceFen + row.amountFen)), amountFen: Number(row.amountFen),
    counter: row.onlineCounter, terminal: hexOf(row.terminal), dateTime: hexOf(row.dateTime),
    tac: told.tac ?? '00000000', order: policies.factorOrder,
    cityFactor: policies.tacKeyLevels === 2 && card.cityFactor !== null ? hexOf(card.cityFactor) : null
  })
  return answer.right
}

type Forbidden = {
  readonly client: string, readonly told: LoadOutcome, readonly card: CardRow, readonly clearingDate: string
  readonly atMs: number
}

async function forbid (
  tx: Tx, ledger: Posting, { client, told, card, clearingDate, atMs }: Forbidden
): Promise<LoadOutcomeReply> {
  if (told.outcome !== 'withdrawn') throw new Refusal('not_found', `there is no load ${told.key}`, '/key')
  const row = {
    bucket: card.bucket, cardId: card.cardId, client, key: told.key, digest: Buffer.alloc(0),
    source: 'agent' as const,
    partyId: null, amountFen: 0n, offlineCounter: 0, onlineCounter: 0, balanceFen: 0n, keyVersion: 0,
    terminal: Buffer.alloc(6), dateTime: Buffer.alloc(7), mac2: null, outcome: 1,
    reason: answerNumbers.withdrawn, rule: null, state: 'declined' as const, evidence: 'withdrawn',
    journalId: null, agentAccount: null, clearingDate, requestedAtMs: atMs
  }
  await note(tx, ledger, { table: 'load', clearingDate, atMs }, notedIn => insertLoad(tx, row, notedIn))
  return { key: told.key, state: 'declined' }
}

/** The chip takes one load at one counter: its next INITIALIZE says what became of the last. */
async function settleByCounter (
  tx: Tx, ledger: LoadBook, snapshot: Snapshot, card: CardRow, onlineCounter: number, atMs: number
): Promise<void> {
  for (const row of await findOpenLoads(tx, card)) {
    const written = byOnlineCounter(row, onlineCounter)
    if (written !== null) await settle(tx, ledger, snapshot, row, written, 'next_load', atMs)
  }
}

/** Open loads that other news of their cards decides. How many. */
export async function settleOpenLoads (ledger: Posting): Promise<number> {
  const snapshot = await ledger.registry()
  const { clockToleranceMinutes } = snapshot.policies
  let settled = 0
  const { conflict, clock_implausible: clock } = reasonNumbers
  const found = await findEvidence(ledger.db,
    { afterMs: clockToleranceMinutes * 60_000, conflict, clock, limit: sweptMax })
  for (const { load, beganWithFen, kind } of found) {
    const written = byNextBalance(load, beganWithFen)
    if (written === null) continue
    settled += await inTransaction(ledger.db, async tx => {
      await openDateOf(tx)
      await lockPurses(tx, [load])
      const open = (await findOpenLoads(tx, load)).find(({ loadId }) => loadId === load.loadId)
      if (open === undefined) return 0
      await settle(tx, ledger, snapshot, open, written, kind, ledger.clock.now())
      return 1
    })
  }
  return settled
}

const sweptMax = 100

/** The purse is locked, the load is open. */
async function settle (
  tx: Tx, ledger: Posting, snapshot: Snapshot, row: LoadRow, written: boolean, evidence: string,
  atMs: number, tac: Buffer | null = null
): Promise<void> {
  const decision = { state: written ? 'written' : 'not_written', evidence, tac, atMs } as const
  await note(tx, ledger, { table: 'load', clearingDate: await openDateOf(tx), atMs }, notedIn =>
    decideLoad(tx, row, decision, notedIn))
  if (written) await moveToPurse(tx, ledger, snapshot, row, atMs)
  else if (row.agentAccount !== null) await giveBack(tx, ledger, snapshot, row, row.agentAccount, atMs)
}

async function moveToPurse (
  tx: Tx, ledger: Posting, snapshot: Snapshot, row: LoadRow, atMs: number
): Promise<void> {
  const { bucket, cardId, amountFen, offlineCounter: counter } = row
  const key = { bucket, cardId, purse: 2 }
  const purse = (await lockPurses(tx, [row])).find(one => one.purse === 2)
  if (purse === undefined) throw new Error(`card ${cardId} has no purse`)
  const { lastCounter, lastBalanceFen, openItems } = purse
  const chipFen = lastCounter === counter ? lastBalanceFen + amountFen : lastBalanceFen
  const moved = { lastCounter, lastBalanceFen: chipFen, shadowDeltaFen: amountFen, openItems }
  await movePurses(tx, [{ ...key, ...moved }])
  await postBatch(tx, {
    ...await batchOf(tx, ledger, atMs),
    transfers: [{
      bucket, cardId, journal: 0, code: 'load_written', book: 'commerce', debit: pendingAccount(snapshot),
      credit: accountId(snapshot, 'commerce', 'purse'), amountFen, eventAtMs: atMs
    }]
  })
  await reconsider(tx, ledger, [{ ...key, counter }, { ...key, counter: counter + 1 }], atMs, [{
    ...key, counter, kind: 'load', atMs, content: null, balanceFen: amountFen, findings: null,
    source: `load ${row.loadId}`
  }])
}

const batchOf = async (tx: Tx, { random }: Posting, atMs: number) => ({
  kind: 'requests' as const, clearingDate: await openDateOf(tx), createdAtMs: atMs, salt: random(16), items: 1
})

async function giveBack (
  tx: Tx, ledger: Posting, snapshot: Snapshot, row: LoadRow, agent: number, atMs: number
): Promise<void> {
  const { bucket, cardId, amountFen, journalId, partyId, terminal, requestedAtMs } = row
  const operator = snapshot.partyById.get(partyId ?? -1)?.code ?? null
  await countUses(tx, snapshot, [
    { use: useOf(row, operator, hexOf(terminal), requestedAtMs), fen: -amountFen }])
  await postGuarded(tx, {
    ...await batchOf(tx, ledger, atMs), reopens: true
  }, [{
    comesBack: true,
    transfers: [{
      bucket, cardId, code: 'load_returned', book: 'commerce', debit: pendingAccount(snapshot), credit: agent,
      amountFen, eventAtMs: atMs, corrects: journalId
    }]
  }], { accounts: snapshot.guarded, ceilingOf: () => null })
}

/** What waits for the chip of a card. Throws Refusal not_found. */
export async function readPending (
  { db, registry }: Pick<Ledger, 'db' | 'registry'>, card: CardRef
): Promise<bigint> {
  const row = (await findCards(db, [card])).get(cardKey(card))
  if (row === undefined) throw new Refusal('not_found', 'no such card was issued', '/card')
  return await pendingOf(db, row, pendingAccount(await registry()))
}
