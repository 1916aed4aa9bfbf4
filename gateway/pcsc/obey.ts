// What the ledger has for a card that lies on a reader, one order after the other until there is none, and
// what a lane says of it. It refuses to know what is ordered, and by whom.
import { killPoint } from '../../runtime/kill-point.ts'
import { hex } from '../../schemas/epurse/hex.ts'
import type { OrderName } from '../../schemas/epurse/maintenance.ts'
import { describeStatus, swText } from '../../schemas/epurse/status-words.ts'
import type { CardRules, LaneConfig, TapReason } from '../../schemas/gateway.ts'
import { type CardRef, cardKey } from '../../schemas/record.ts'
import type { TerminalRef } from '../../schemas/terminals.ts'
import type { Orders } from '../orders/orders.ts'
import type { Answer, Channel } from './exchange.ts'
import { type Given, giveOrder } from './order.ts'
import type { TapResult } from './purchase.ts'
import { readCard } from './read-card.ts'
import type { Session } from './session.ts'

export type Obeying = {
  /** What the card answered to `greetingFor(rules)`; null: it has not been asked yet. */
  readonly greeting: readonly Answer[] | null
  readonly lane: LaneConfig
  readonly rules: CardRules
  readonly session: Session
  readonly orders: Orders
  /** False for a card that was found on the reader: nothing is said where nothing is ordered. */
  readonly sells: boolean
  /** Why its terminal serves nobody. Absent: nobody has to be asked. */
  refused?: () => TapReason | null
}

/** Null where nothing is to be said. Also for a card whose application is locked, if it says whose it is. */
export async function runOrders (card: Channel, obeying: Obeying): Promise<TapResult | null> {
  const { lane, rules, session, sells } = obeying
  const read = await readCard(card, rules, obeying.greeting)
  const ref = read.ok ? read.seen.card : read.locked
  const refusal = obeying.refused?.() ?? (ref === undefined && !read.ok ? read.reason : null)
  const key = ref === undefined ? null : cardKey(ref)
  const said = (reason: TapReason): TapResult => ({ reason, card: key, amountFen: null })
  if (refusal !== null || ref === undefined) {
    session.signal('declined')
    return sells ? said(refusal ?? 'card_unreadable') : null
  }
  session.signal('orders_due')
  const terminal = { operator: lane.operator, terminal: lane.terminal }
  const obeyed = await obeyOrders(card, { terminal, orders: obeying.orders }, ref)
  const isObeyed = obeyed.end === 'done' && obeyed.orders.length > 0
  const { signal, reason } = sayings[isObeyed ? 'obeyed' : obeyed.end]
  session.signal(signal)
  const isNothing = reason === 'no_orders' && !sells
  return isNothing ? null : { ...said(reason), ...obeyed.why === undefined ? {} : { why: obeyed.why } }
}

const sayings = {
  obeyed: { signal: 'obeyed', reason: 'orders_obeyed' },
  done: { signal: 'declined', reason: 'no_orders' },
  refused: { signal: 'declined', reason: 'order_refused' },
  unanswered: { signal: 'declined', reason: 'ledger_unavailable' },
  left: { signal: 'declined', reason: 'card_removed' },
  lost: { signal: 'answer_lost', reason: 'torn' }
} as const

export type Obeyed = {
  readonly orders: readonly OrderName[]
  /**
   * `done`: there is nothing more to do. `refused`: the chip took the last one not. `left`: the card went
   * away before it heard one; `lost`: it may have heard it.
   */
  readonly end: 'done' | 'refused' | 'unanswered' | 'left' | 'lost'
  /** What the chip said where it refused. */
  readonly why?: string
}

/** A card has a handful of them at most; a ledger that goes on and on is not followed. */
const ordersMax = 8

/** The application, locked or not, is selected. */
export async function obeyOrders (
  card: Channel, house: { readonly terminal: TerminalRef, readonly orders: Orders }, ref: CardRef
): Promise<Obeyed> {
  const { terminal, orders } = house
  const obeyed: OrderName[] = []
  while (obeyed.length < ordersMax) {
    const { given, signed } = await obeyOne(card, terminal, orders, ref)
    if (signed !== null && 'order' in signed && (given.kind === 'obeyed' || given.kind === 'refused')) {
      const isDone = given.kind === 'obeyed'
      const sw = swText(isDone ? 0x9000 : given.sw)
      await orders.conclude(signed.order, { outcome: isDone ? 'obeyed' : 'refused', sw })
      if (!isDone) return { orders: obeyed, end: 'refused', why: describeStatus(given.sw) }
      obeyed.push(signed.order.name)
      continue
    }
    const nothing = given.kind === 'unsent' && given.why === 'nothing'
    return { orders: obeyed, end: nothing ? 'done' : endOf(given) }
  }
  return { orders: obeyed, end: 'done' }
}

const endOf = (given: Given): Obeyed['end'] =>
  given.kind === 'lost' ? given.sent ? 'lost' : 'left' : 'unanswered'

const obeyOne = async (card: Channel, terminal: TerminalRef, orders: Orders, ref: CardRef) =>
  await giveOrder(card, {
    challenge: true,
    sign: async challenge => await orders.next({ card: ref, ...terminal, challenge: hex(challenge) }),
    beforeSending: async ({ order }) => { await orders.send(order) },
    afterSending: () => { killPoint('order-after-command') }
  })
