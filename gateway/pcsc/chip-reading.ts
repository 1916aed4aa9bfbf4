// What a chip says of itself to a clerk: whose it is, how often it was used, what it holds. Nothing is
// written, and no key is needed. It refuses to know who asks.
import {
  getBalance, initPurchase, parseBalance, parseInitPurchase, type Parsed
} from '../../schemas/epurse/apdu.ts'
import { isOk } from '../../schemas/epurse/status-words.ts'
import type { CardRules, TapReason } from '../../schemas/gateway.ts'
import type { Answer, Channel } from './exchange.ts'
import { readCard } from './read-card.ts'

export type ChipReading = {
  readonly card: string
  /** Offline, last committed. */
  readonly counter: number
  /** Negative: overdraft in use. */
  readonly balanceFen: number
  readonly enabled: boolean
  /** YYYYMMDD */
  readonly expiryDate: string
}

/**
 * INITIALIZE FOR PURCHASE of nothing tells the counter, and changes nothing. A reason where the chip cannot
 * be read.
 */
export async function readChip (card: Channel, rules: CardRules): Promise<ChipReading | TapReason> {
  const read = await readCard(card, rules, null)
  if (!read.ok) return read.reason
  const { seen: { key, profile, enabled, expiryDate } } = read
  const init = said(
    await card.transmit(initPurchase(
      { purse: 2, keyIndex: 1, amountFen: 0, terminal6: new Uint8Array(6) })),
    parseInitPurchase)
  if (typeof init === 'string') return init
  // Only T-Union tells how far below zero it is.
  const asksBelow = profile.name === 't-union' && init.balanceFen === 0
  const used = asksBelow ? said(await card.transmit(getBalance(2, selectUsedOverdraft)), parseBalance) : null
  if (typeof used === 'string') return used
  const balanceFen = init.balanceFen - (used?.balanceFen ?? 0)
  return { card: key, counter: init.counter, balanceFen, enabled, expiryDate }
}
const selectUsedOverdraft = 2

function said<T extends object> (answer: Answer, parse: (data: Uint8Array) => Parsed<T>): T | TapReason {
  if (answer.kind === 'unknown') return 'card_removed'
  const parsed = isOk(answer.sw) ? parse(answer.data) : null
  return parsed !== null && parsed.ok ? parsed : 'card_unreadable'
}
