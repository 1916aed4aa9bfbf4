// Who owes whom for a clearing date: a position per book and party, and how money moves by it. Pure; it
// refuses to know accounts' numbers and SQL.
import assert from 'node:assert/strict'
import { accountCode, claimCodes, loadCodes, transferCodes, type Book, type Heading, type TransferCode }
  from './chart.ts'
import { rateOf } from './rounding.ts'

/** What the transfers of a date with one code did to one account, in fen. */
export type Movement = {
  readonly book: Book
  readonly heading: Heading
  /** Null for an account of the house. */
  readonly party: string | null
  readonly code: number
  readonly debitFen: bigint
  readonly creditFen: bigint
  /** How many transfers. */
  readonly count: number
}

/** What commission is agreed on: all of a base, or the transfers with some codes only. */
export type Product = {
  readonly product: string
  /** Debits at the party, which pays the commission; or loads it sold, for which it gets one. */
  readonly base: 'debit' | 'load'
  /** Transfer codes; empty: whatever no finer product of the same base takes. */
  readonly codes: readonly number[]
}
export type Rate = Product & { readonly ratePpm: number }

/** A party that is paid or pays in: service operators and agents, with the rates in force. */
export type SettlingParty = { readonly party: string, readonly rates: readonly Rate[] }

/** Commission of a party on one product of a date: half up, once, on the sum. */
export type Charge = {
  readonly product: string, readonly base: Product['base'], readonly baseFen: bigint,
  readonly ratePpm: number, readonly commissionFen: bigint
}

export type Position = {
  readonly party: string
  readonly book: Book
  /** Accepted debits at the party. */
  readonly claimsFen: bigint
  /** Commission the party pays, on claims and adjustments together. */
  readonly commissionFen: bigint
  /** Cash the party took for loads and deposits. */
  readonly loadsFen: bigint
  readonly loadCommissionFen: bigint
  /** Verdicts that changed later, corrections, and whatever else moved its pending account. */
  readonly adjustmentsFen: bigint
  /** Claims − commission − loads + load commission + adjustments; positive: the party is paid. */
  readonly netFen: bigint
}

/** A position as it is computed, with what the clearing needs beyond what is stored of it. */
export type ClearedPosition = Position & {
  readonly charges: readonly Charge[]
  /** Part of the adjustments that stands on the settlement account already: a correction booked there. */
  readonly directFen: bigint
}

/**
 * Codes by which clearing and settling move money themselves; they are no claims of the date they stand in.
 */
const settlingCodes: ReadonlySet<number> = new Set<number>([
  transferCodes.clear_net, transferCodes.clear_commission, transferCodes.load_commission,
  transferCodes.agent_netting, transferCodes.instruct_pay, transferCodes.instruct_collect,
  transferCodes.bank_paid, transferCodes.bank_collected, transferCodes.payment_returned,
  transferCodes.collection_returned, transferCodes.short, transferCodes.short_reversed,
  transferCodes.instruction_voided
])
export const isSettling = (code: number): boolean => settlingCodes.has(code)
const claims: ReadonlySet<number> = new Set<number>(claimCodes.first)
const loads: ReadonlySet<number> = new Set<number>([transferCodes.sale_deposit, ...loadCodes])
const commissioned: ReadonlySet<number> = new Set<number>(loadCodes)

/**
 * Positions of a date. A party has one in the commerce book even where nothing happened, and in another book
 * where something did. The house (issuer, bureau, treasury: who owes in that book) gets the mirror of all
 * others, summed from its own accounts and not from theirs: that the nets of a book sum to zero is a check,
 * not an identity. Throws RangeError where something moved in a book without a house.
 */
export function positionsOf (
  movements: readonly Movement[], parties: readonly SettlingParty[], houses: ReadonlyMap<Book, string>
): ClearedPosition[] {
  const moved = movements.filter(movement => !isSettling(movement.code))
  const used = new Set<Book>(['commerce', ...moved.map(movement => movement.book)])
  return [...used].sort().flatMap(book => {
    const own = moved.filter(movement => movement.book === book)
    const ofParties = parties.flatMap(party => {
      const at = own.filter(movement => movement.party === party.party)
      return at.length === 0 && book !== 'commerce' ? [] : [partyPosition(book, party, at)]
    })
    const house = houses.get(book)
    if (house === undefined && own.length === 0) return ofParties
    if (house === undefined) throw new RangeError(`no party is registered that owes in the ${book} book`)
    return merged([...ofParties, housePosition(book, house, own, ofParties)])
  })
}

/** What movements add to a position before commission: batch by batch, the parts sum to the position. */
export type Parts = Pick<Position, 'claimsFen' | 'adjustmentsFen' | 'loadsFen'>

/** Of movements on the accounts of a party, those of clearing and settling left out. */
export function partsOfParty (moved: readonly Movement[]): Parts & { readonly directFen: bigint } {
  const pending = moved.filter(movement => movement.heading === 'merchant-pending')
  const receivable = moved.filter(movement => movement.heading === 'receivable-agent')
  const directFen = credited(moved.filter(movement => movement.heading === 'merchant-settlement'))
  return {
    claimsFen: credited(pending.filter(movement => claims.has(movement.code))),
    adjustmentsFen: credited(pending.filter(movement => !claims.has(movement.code))) + directFen,
    loadsFen: -credited(receivable),
    directFen
  }
}

function partyPosition (book: Book, party: SettlingParty, at: readonly Movement[]): ClearedPosition {
  const charges = chargesOf(party.rates, at)
  const charged = (base: Product['base']) =>
    sum(charges.filter(charge => charge.base === base).map(charge => charge.commissionFen))
  return withNet({
    party: party.party,
    book,
    ...partsOfParty(at),
    commissionFen: charged('debit'),
    loadCommissionFen: charged('load'),
    charges
  })
}

/** What a prefunded agent sells is paid already, so it is no load to settle; its commission is. */
const bases = [
  { base: 'debit', headings: ['merchant-pending'], sign: 1n },
  { base: 'load', headings: ['receivable-agent', 'agent-prepaid'], sign: -1n }
] as const satisfies readonly { base: Product['base'], headings: readonly Heading[], sign: bigint }[]

/** Each movement is charged once: by the finest product for which the party has a rate. */
function chargesOf (rates: readonly Rate[], movements: readonly Movement[]): Charge[] {
  return bases.flatMap(({ base, headings, sign }) => {
    const finestFirst = rates.filter(rate => rate.base === base)
      .sort((a, b) => Number(a.codes.length === 0) - Number(b.codes.length === 0))
    const at = (heading: Heading) => headings.some(one => one === heading)
    const moved = movements.filter(({ heading, code }) => at(heading) && isCharged(base, code))
    return finestFirst.flatMap((rate, index) => {
      const finer = finestFirst.slice(0, index)
      const own = moved.filter(({ code }) => isAbout(rate, code) && !finer.some(one => isAbout(one, code)))
      const { product, ratePpm } = rate
      const baseFen = sign * credited(own)
      if (own.length === 0) return []
      return [{ product, base, baseFen, ratePpm, commissionFen: rateOf(baseFen, ratePpm) }]
    })
  })
}

/** Of what an agent took, deposits and what it paid in earn nothing. */
const isCharged = (base: Product['base'], code: number): boolean =>
  base === 'debit' || commissioned.has(code)
const isAbout = ({ codes }: Product, code: number): boolean => codes.length === 0 || codes.includes(code)

/**
 * What a party paid in ahead, and what is held back from it, is owed by the house like the value of holders.
 */
const keptByHouse: ReadonlySet<Heading> = new Set(['agent-prepaid', 'merchant-held'])

export const isOfHouse = ({ party, heading }: Pick<Movement, 'party' | 'heading'>): boolean =>
  party === null || keptByHouse.has(heading)

/** Of movements in the book of a house, those of clearing and settling left out. */
export function partsOfHouse (moved: readonly Movement[]): Parts {
  const own = moved.filter(isOfHouse)
  return {
    claimsFen: credited(own.filter(movement => claims.has(movement.code))),
    adjustmentsFen: credited(own.filter(({ code }) => !claims.has(code) && !loads.has(code))),
    loadsFen: -credited(own.filter(movement => loads.has(movement.code)))
  }
}

function housePosition (
  book: Book, party: string, moved: readonly Movement[], others: readonly Position[]
): ClearedPosition {
  const total = (pick: (position: Position) => bigint) => sum(others.map(pick))
  return withNet({
    party,
    book,
    ...partsOfHouse(moved),
    commissionFen: -total(position => position.commissionFen),
    loadCommissionFen: -total(position => position.loadCommissionFen),
    charges: [],
    directFen: 0n
  })
}

/** A house that is also an operator has one position. */
function merged (positions: readonly ClearedPosition[]): ClearedPosition[] {
  const byParty = new Map<string, ClearedPosition>()
  for (const one of positions) {
    const known = byParty.get(one.party)
    byParty.set(one.party, known === undefined
      ? one
      : withNet({
        party: one.party,
        book: one.book,
        claimsFen: known.claimsFen + one.claimsFen,
        adjustmentsFen: known.adjustmentsFen + one.adjustmentsFen,
        commissionFen: known.commissionFen + one.commissionFen,
        loadsFen: known.loadsFen + one.loadsFen,
        loadCommissionFen: known.loadCommissionFen + one.loadCommissionFen,
        charges: [...known.charges, ...one.charges],
        directFen: known.directFen + one.directFen
      }))
  }
  return [...byParty.values()]
}

const withNet = (p: Omit<ClearedPosition, 'netFen'>): ClearedPosition => ({
  ...p, netFen: p.claimsFen - p.commissionFen - p.loadsFen + p.loadCommissionFen + p.adjustmentsFen
})

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, one) => total + one, 0n)
const credited = (movements: readonly Movement[]): bigint =>
  sum(movements.map(movement => movement.creditFen - movement.debitFen))

/** Books whose nets do not sum to zero, with what they sum to; empty when all is well. */
export function netSums (positions: readonly Position[]): { book: Book, sumFen: bigint }[] {
  const books = [...new Set(positions.map(position => position.book))]
  return books
    .map(book => ({ book, sumFen: sum(positions.filter(p => p.book === book).map(p => p.netFen)) }))
    .filter(({ sumFen }) => sumFen !== 0n)
}

/** A transfer between accounts by their codes. */
export type PlannedTransfer = {
  readonly code: TransferCode, readonly book: Book, readonly debit: string, readonly credit: string
  readonly amountFen: bigint
  /** Transfer that it takes back. */
  readonly corrects?: bigint
  /** Whose it is, where the account is of cards. */
  readonly of?: { readonly bucket: number, readonly cardId: bigint }
}

/**
 * Clears one position: claims leave the pending account, less commission, and what an agent took is netted
 * against what it is to get. Afterwards its settlement account holds the net.
 */
export function clearingTransfers (position: ClearedPosition): PlannedTransfer[] {
  const { book, party, commissionFen, loadsFen, loadCommissionFen, directFen } = position
  const of = (heading: Heading) => accountCode(book, heading, party)
  const totalFen = position.claimsFen + position.adjustmentsFen - directFen
  const income = accountCode(book, 'commission-income')
  const expense = accountCode(book, 'commission-expense')
  return [
    ...signed('clear_net', book, of('merchant-pending'), of('merchant-settlement'), totalFen - commissionFen),
    ...signed('clear_commission', book, of('merchant-pending'), income, commissionFen),
    ...signed('load_commission', book, expense, of('receivable-agent'), loadCommissionFen),
    ...signed('agent_netting', book, of('merchant-settlement'), of('receivable-agent'),
      loadsFen - loadCommissionFen)
  ]
}

/** What is open between us and a party: the nets that no instruction has settled yet. */
export type OpenNet = {
  readonly party: string, readonly book: Book, readonly openFen: bigint
  /** Smaller amounts carry over. */
  readonly settleFromFen: bigint
}

export const instructionStates = ['sent', 'confirmed', 'returned', 'void'] as const
export type InstructionState = typeof instructionStates[number]

export type Instruction = {
  readonly id: string, readonly party: string, readonly book: Book
  readonly direction: 'pay' | 'collect'
  readonly amountFen: bigint
}

/** Which instructions: those of a clearing date, or a later run that replaces some that came back. */
export type SettlementRun = { readonly date: string, readonly run: number }

/** ISO 20022 leaves 35 characters for an end-to-end identification. */
const idLengthMax = 35

/**
 * `20260302-commerce-BUS`, of a later run `20260302.2-commerce-BUS`; banks carry it as end-to-end
 * identification. Where that is too long the book is told by its first two letters, which are no other
 * book's: `20260302.10-co-ABCDEFGHIJKLMNO`. So no two instructions share one, and none that was sent changes.
 */
export function instructionId ({ date, run }: SettlementRun, book: Book, party: string): string {
  const begin = `${date.replaceAll('-', '')}${run === 1 ? '' : `.${run}`}`
  const whole = `${begin}-${book}-${party}`
  const id = whole.length <= idLengthMax ? whole : `${begin}-${book.slice(0, 2)}-${party}`
  assert(id.length <= idLengthMax, `${id} is longer than ${idLengthMax} characters`)
  return id
}

/** One instruction per party and book whose open net reaches its threshold, unless the party is held. */
export const instructionsOf = (
  run: SettlementRun, nets: readonly OpenNet[], held: ReadonlySet<string> = new Set()
): Instruction[] =>
  nets.map(net => ({ ...net, amountFen: net.openFen < 0n ? -net.openFen : net.openFen }))
    .filter(({ amountFen, settleFromFen }) => amountFen > 0n && amountFen >= settleFromFen)
    .filter(({ party }) => !held.has(party))
    .map(({ party, book, openFen, amountFen }) => ({
      id: instructionId(run, book, party), party, book, direction: openFen > 0n ? 'pay' : 'collect', amountFen
    }))

export function instructionTransfer ({ party, book, direction, amountFen }: Instruction): PlannedTransfer {
  const settlement = accountCode(book, 'merchant-settlement', party)
  const clearing = accountCode(book, 'settlement-clearing')
  return direction === 'pay'
    ? { code: 'instruct_pay', book, debit: settlement, credit: clearing, amountFen }
    : { code: 'instruct_collect', book, debit: clearing, credit: settlement, amountFen }
}

/** A negative amount swaps the sides; nothing moves for none. */
function signed (
  code: TransferCode, book: Book, debit: string, credit: string, amountFen: bigint
): PlannedTransfer[] {
  if (amountFen === 0n) return []
  return amountFen > 0n
    ? [{ code, book, debit, credit, amountFen }]
    : [{ code, book, debit: credit, credit: debit, amountFen: -amountFen }]
}
