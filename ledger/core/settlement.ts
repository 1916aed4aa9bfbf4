// Who owes whom for a clearing date: a position per book and party, and how money moves by it. Pure; it
// refuses to know accounts' numbers and SQL.
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

/** A party that is paid or pays in: service operators and agents. Rates in parts per million. */
export type SettlingParty = {
  readonly party: string, readonly debitRatePpm: number, readonly loadRatePpm: number
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

/**
 * Codes by which clearing and settling move money themselves; they are no claims of the date they stand in.
 */
const settling: ReadonlySet<number> = new Set<number>([
  transferCodes.clear_net, transferCodes.clear_commission, transferCodes.load_commission,
  transferCodes.agent_netting, transferCodes.instruct_pay, transferCodes.instruct_collect
])
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
): Position[] {
  const moved = movements.filter(movement => !settling.has(movement.code))
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

function partyPosition (book: Book, party: SettlingParty, at: readonly Movement[]): Position {
  const pending = at.filter(movement => movement.heading === 'merchant-pending')
  const receivable = at.filter(movement => movement.heading === 'receivable-agent')
  const claimsFen = credited(pending.filter(movement => claims.has(movement.code)))
  const adjustmentsFen = credited(pending.filter(movement => !claims.has(movement.code)))
  // What a prefunded agent sells is paid already, so it is no load to settle; its commission is.
  const taken = at.filter(({ heading }) => heading === 'receivable-agent' || heading === 'agent-prepaid')
  const loaded = taken.filter(movement => commissioned.has(movement.code))
  return withNet({
    party: party.party,
    book,
    claimsFen,
    adjustmentsFen,
    commissionFen: rateOf(claimsFen + adjustmentsFen, party.debitRatePpm),
    loadsFen: -credited(receivable),
    loadCommissionFen: rateOf(-credited(loaded), party.loadRatePpm)
  })
}

function housePosition (
  book: Book, party: string, moved: readonly Movement[], others: readonly Position[]
): Position {
  // What agents have paid in ahead is owed by the house until it is sold, like the value of holders.
  const own = moved.filter(({ party, heading }) => party === null || heading === 'agent-prepaid')
  const total = (pick: (position: Position) => bigint) => sum(others.map(pick))
  return withNet({
    party,
    book,
    claimsFen: credited(own.filter(movement => claims.has(movement.code))),
    adjustmentsFen: credited(own.filter(({ code }) => !claims.has(code) && !loads.has(code))),
    commissionFen: -total(position => position.commissionFen),
    loadsFen: -credited(own.filter(movement => loads.has(movement.code))),
    loadCommissionFen: -total(position => position.loadCommissionFen)
  })
}

/** A house that is also an operator has one position. */
function merged (positions: readonly Position[]): Position[] {
  const byParty = new Map<string, Position>()
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
        loadCommissionFen: known.loadCommissionFen + one.loadCommissionFen
      }))
  }
  return [...byParty.values()]
}

const withNet = (p: Omit<Position, 'netFen'>): Position => ({
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
}

/**
 * Clears one position: claims leave the pending account, less commission, and what an agent took is netted
 * against what it is to get. Afterwards its settlement account holds the net.
 */
export function clearingTransfers (position: Position): PlannedTransfer[] {
  const { book, party, commissionFen, loadsFen, loadCommissionFen } = position
  const of = (heading: Heading) => accountCode(book, heading, party)
  const totalFen = position.claimsFen + position.adjustmentsFen
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

export type Instruction = {
  readonly id: string, readonly party: string, readonly book: Book
  readonly direction: 'pay' | 'collect'
  readonly amountFen: bigint
}

/** One instruction per party and book whose open net reaches its threshold. */
export const instructionsOf = (date: string, nets: readonly OpenNet[]): Instruction[] =>
  nets.map(net => ({ ...net, amountFen: net.openFen < 0n ? -net.openFen : net.openFen }))
    .filter(({ amountFen, settleFromFen }) => amountFen > 0n && amountFen >= settleFromFen)
    .map(({ party, book, openFen, amountFen }) => ({
      id: `${date}-${book}-${party}`, party, book, direction: openFen > 0n ? 'pay' : 'collect', amountFen
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
