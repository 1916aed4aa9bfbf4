// Sorts a delivery: what is wrong with each line by itself, and how much must be read to judge it. Pure.
import type { VerdictReason } from '../../schemas/reasons.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import type { Opening } from '../core/chain.ts'
import type { PostingAccounts } from '../core/posting.ts'
import type { Reuse } from '../core/regression.ts'
import { examine, type Facts, type VerdictPolicy } from '../core/verdict.ts'
import type { CardRow } from '../store/cards.ts'
import type { PurseRow } from '../store/lock.ts'
import type { PurseKey } from '../store/records.ts'
import type { PartyRow, PsamRow, TerminalRow } from '../store/registry.ts'

/** A readable line with what the registry says of it. */
export type Prepared = {
  readonly index: number, readonly lineNo: number, readonly record: TransactionRecord,
  readonly eventAtMs: number,
  readonly content: Buffer, readonly bucket: number, readonly tacValid: boolean | null,
  readonly card: CardRow | null, readonly psam: PsamRow | null, readonly terminal: TerminalRow | null,
  readonly operator: PartyRow | null
}
/** A line nobody can read, with what is wrong. */
export type Unreadable = {
  readonly index: number, readonly lineNo: number, readonly digest: Buffer, readonly detail: string
}

/** A readable line with all that is wrong with it by itself. */
export type Told = {
  readonly line: Prepared
  readonly own: readonly VerdictReason[]
  /** What it is to the card chain; `none`: nothing. */
  readonly kind: 'claim' | 'grey' | 'stranger' | 'none'
}
/** The lines of one purse of one card. */
export type Group = {
  readonly key: PurseKey, readonly purse: PurseRow | null, readonly opening: Opening,
  readonly told: readonly Told[]
  /** Counters to be judged anew although nobody tells anything of them. */
  readonly again?: readonly number[]
}

/** A delivery sorted by how much must be known to judge it. */
export type Sorted = {
  readonly unreadable: readonly Unreadable[]
  /** No such card. */
  readonly cardless: readonly Told[]
  /** The chip goes on where it stood, nothing is open: judged by themselves. */
  readonly plain: readonly Group[]
  /** Everything else: judged by what else is known around their counters. */
  readonly careful: readonly Group[]
}

export type Context = {
  readonly kind: 'json' | 'file'
  readonly receivedAtMs: number
  /** As they are now. */
  readonly policy: VerdictPolicy
  /** As they were at an event: what its verdict asks. */
  readonly policyAt: (eventAtMs: number) => VerdictPolicy
  readonly beforeOpenDate: (eventAtMs: number) => boolean
  /** What else is to be known of a line than what stands in it. */
  readonly around: (line: Prepared) => Around
  /** Sequences that the PSAMs of the delivery are known to have used twice. */
  readonly reuses: readonly Reuse[]
  /** `foreign`: of a card of another city. */
  readonly accountsOf: (terminalId: number | null, foreign: boolean) => PostingAccounts
}

export type Around =
  Pick<Facts, 'listing' | 'city' | 'merchantClosed' | 'cardTypeAllowed' | 'abnormal' | 'regressed'>

/** Of another city: it has a row here because it was used here. */
export const isForeign = (card: Pick<CardRow, 'cardType'> | null): boolean => card?.cardType === 'foreign'

export const purseNumber = (record: TransactionRecord): number => record.purse === 'ep' ? 2 : 1
export const purseText = ({ cardId, purse }: Pick<PurseKey,
  'cardId' | 'purse'>): string => `${cardId}/${purse}`

/** `thorough`: nothing is plain. */
export function sortOut (
  lines: readonly Prepared[], unreadable: readonly Unreadable[], purses: readonly PurseRow[],
  context: Context,
  thorough: boolean
): Sorted {
  const purseOf = new Map(purses.map(purse => [placeOf(purse), purse]))
  const onCards = new Map<number, Told[]>()
  const cardless: Told[] = []
  for (const line of lines) {
    const place = line.card === null
      ? null
      : placeOf({ cardId: line.card.cardId, purse: purseNumber(line.record) })
    const told = examineLine(line, context, place !== null && purseOf.has(place))
    const group = place === null ? cardless : onCards.get(place)
    if (group === undefined) onCards.set(place as number, [told])
    else group.push(told)
  }
  const plain: Group[] = []
  const careful: Group[] = []
  for (const [place, told] of onCards) {
    const group = groupOf(told, purseOf.get(place) ?? null)
    if (!thorough && goesOnPlainly(group)) plain.push(group)
    else careful.push(group)
  }
  return { unreadable, cardless, plain, careful }
}

/** Of a purse among all purses: {@link purseText} as a number, at a fifth of its price. */
const placeOf = ({ cardId, purse }: Pick<PurseKey, 'cardId' | 'purse'>): number => 4 * Number(cardId) + purse

function examineLine (line: Prepared, context: Context, hasPurse: boolean): Told {
  const own = examine(factsOf(line, context, hasPurse), context.policyAt(line.eventAtMs))
  return { line, own, kind: hasPurse ? kindOf(line, own) : 'none' }
}

/** A line as the checks see it. */
export function factsOf (line: Prepared, context: Context, hasPurse: boolean): Facts {
  const { record, card, psam, terminal, operator } = line
  return {
    psam: psam === null
      ? null
      : {
          issuedAtMs: psam.fromMs,
          boundUntilMs: psam.toMs,
          terminalId: psam.terminalId,
          stolenAtMs: psam.stolenAtMs,
          test: psam.test
        },
    terminal: terminal === null ? null : { terminalId: terminal.terminalId, operatorId: terminal.partyId },
    operatorId: operator?.partyId ?? null,
    card: card === null ? null : { test: card.cardType === 'test' },
    typeAllowed: hasPurse && (record.type === '05') === (record.purse === 'ed'),
    tacValid: line.tacValid,
    grey: record.grey,
    eventAtMs: line.eventAtMs,
    receivedAtMs: context.receivedAtMs,
    beforeOpenDate: context.beforeOpenDate(line.eventAtMs),
    amountFen: BigInt(record.amountFen),
    ...context.around(line)
  }
}

const unplaced: ReadonlySet<VerdictReason> = new Set(['psam_unknown', 'test_card', 'test_psam'])

function kindOf (line: Prepared, own: readonly VerdictReason[]): Told['kind'] {
  const [first] = own
  const signed = line.tacValid === true && !line.record.grey
  if (first !== undefined && unplaced.has(first)) return signed ? 'stranger' : 'none'
  if (signed) return 'claim'
  return first === 'grey' ? 'grey' : 'none'
}

function groupOf (told: readonly Told[], purse: PurseRow | null): Group {
  const [{ line }] = told as [Told]
  const card = line.card as CardRow
  const key = { bucket: card.bucket, cardId: card.cardId, purse: purseNumber(line.record) }
  return {
    key,
    purse,
    opening: { counter: card.openedCounter, balanceFen: card.openedFen },
    told: told.length === 1 ? told : [...told].sort((a, b) => a.line.record.counter - b.line.record.counter)
  }
}

/**
 * Signed events only, each above all that is known of this chip, adjacent ones with the balance they must
 * have.
 */
function goesOnPlainly ({ purse, told }: Group): boolean {
  if (purse === null || purse.openItems > 0 || purse.beyond) return false
  let counter = purse.lastCounter
  let balanceFen = purse.lastBalanceFen
  for (const { line: { record }, kind } of told) {
    if (kind !== 'claim' || record.counter <= counter) return false
    const beforeFen = BigInt(record.balanceBeforeFen)
    if (record.counter === counter + 1 && beforeFen !== balanceFen) return false
    counter = record.counter
    balanceFen = beforeFen - BigInt(record.amountFen)
  }
  return true
}
