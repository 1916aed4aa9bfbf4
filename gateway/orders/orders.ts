// Orders for chips between a lane and the ledger: signed there, on disk before the chip hears of one, told
// until the ledger has heard what the chip did. It refuses to know chips and readers.
import { setTimeout as delay } from 'node:timers/promises'
import { killPoint } from '../../runtime/kill-point.ts'
import { maskCard } from '../../runtime/log.ts'
import {
  type OrderAsk, type OrderOutcome, OrderOutcomeReply, OrderReply
} from '../../schemas/card-order.ts'
import { parseCommand } from '../../schemas/epurse/apdu.ts'
import { unhex } from '../../schemas/epurse/hex.ts'
import { type OrderName, orderIn } from '../../schemas/epurse/maintenance.ts'
import { type CardRef, cardKey } from '../../schemas/record.ts'
import { askUntil } from '../asking.ts'
import { openJournal } from '../spool/journal.ts'
import { type AskAndTell, keepTelling } from '../telling.ts'

export type Orders = {
  /** What this chip is to do, signed for its challenge; nothing has happened yet. */
  next (wish: Omit<OrderAsk, 'key'>): Promise<SignedOrder | { readonly why: NoOrder }>
  /** Resolves when it is on disk: the command may leave. */
  send (order: SentOrder): Promise<void>
  /** Resolves when it is on disk: it will be told. `sw`: what the chip said. */
  conclude (order: SentOrder, outcome: Told): Promise<void>
  view (): { readonly open: number, readonly untold: number }
  close (): Promise<void>
}

/** `no_order`: what came is no command of maintenance, and goes to no chip. */
export type NoOrder = 'nothing' | 'unanswered' | 'no_order'
export type Told = Pick<OrderOutcome, 'outcome' | 'sw'>
export type SentOrder = { readonly key: string, readonly card: CardRef, readonly name: OrderName }
export type SignedOrder = { readonly order: SentOrder, readonly command: Uint8Array }

export type OrdersOptions = AskAndTell & { readonly newKey: () => string }

/** The command is not kept: it may carry a PIN, and its challenge does not come again. */
type Kept = SentOrder & { readonly told: Told | null }
/** What lies on disk: an order as it stands, or that it is forgotten. */
type Entry = { readonly order: Kept } | { readonly gone: string }

const limits = {
  signMs: 3_000, tellMs: 10_000, retryMs: 100, backoffMs: 250, backoffMaxMs: 15_000, lookMs: 10,
  heardLooks: 300
} as const

export async function openOrders (options: OrdersOptions): Promise<Orders> {
  const { http, files, clock, nowMs, random, newKey, log } = options
  const { retryMs } = limits
  const orders = new Map<string, Kept>()
  const journal = await openJournal<Entry>({
    files,
    clock,
    limits: options.journal ?? {},
    onFailure: options.onFailure,
    apply: entry => {
      if ('gone' in entry) orders.delete(entry.gone)
      else orders.set(entry.order.key, entry.order)
    },
    snapshot: () => [...orders.values()].map(order => ({ order }))
  })
  const untold = () => [...orders.values()].filter(order => order.told !== null)

  async function next (wish: Omit<OrderAsk, 'key'>): ReturnType<Orders['next']> {
    if (!await isHeard(wish.card)) return { why: 'unanswered' }
    const key = newKey()
    const answer = await askUntil({
      http, path: '/v1/card-orders/next', body: { key, ...wish }, schema: OrderReply, nowMs, retryMs,
      deadlineMs: limits.signMs
    })
    if (answer.outcome !== 'replied') return { why: 'unanswered' }
    const { order } = answer.reply
    if (order === null) return { why: 'nothing' }
    const command = unhex(order.command)
    const parsed = parseCommand(command)
    if (!parsed.ok || orderIn(parsed) !== order.name) {
      log.error({ alarm: 'no_order', order: key }, 'the ledger gave a command that is no order')
      return { why: 'no_order' }
    }
    return { order: { key, card: wish.card, name: order.name }, command }
  }

  /** What this chip did is known there first: else its last order would be signed again. */
  async function isHeard (card: CardRef): Promise<boolean> {
    const isLeft = () => untold().some(one => cardKey(one.card) === cardKey(card))
    for (let look = 0; isLeft() && look < limits.heardLooks; look++) await delay(limits.lookMs)
    return !isLeft()
  }

  /** An earlier order of this card whose end nobody knows was signed anew: this one stands in its place. */
  async function send (order: SentOrder): Promise<void> {
    const before = [...orders.values()].filter(one =>
      one.told === null && cardKey(one.card) === cardKey(order.card))
    const gone = before.map(({ key }) => journal.append({ gone: key }))
    await Promise.all([...gone, journal.append({ order: { ...order, told: null } })])
    killPoint('order-after-intent')
  }

  async function conclude ({ key, card, name }: SentOrder, told: Told): Promise<void> {
    await journal.append({ order: { key, card, name, told } })
    log.warn({ card: maskCard(cardKey(card)), order: name, ...told }, 'a chip was given an order')
    telling.wake()
  }

  /** Null when the ledger has heard it, or will never take it. */
  async function tell ({ key, card, told }: Kept, over: AbortSignal): Promise<string | null> {
    const asked = await askUntil({
      http, path: '/v1/card-orders/outcome', body: { key, card, ...told }, schema: OrderOutcomeReply, nowMs,
      retryMs, over, deadlineMs: limits.tellMs
    })
    if (asked.outcome === 'unknown') return asked.why
    if (asked.outcome === 'refused') {
      if (asked.status !== 404) return asked.why
      const { why } = asked
      log.error({ alarm: 'order_unknown', order: key, why }, 'the ledger does not know of an order')
    }
    await journal.append({ gone: key })
    return null
  }

  const telling = keepTelling({
    what: 'what a chip did', next: () => untold()[0], waiting: () => untold().length, tell, ...limits,
    random, log
  })
  return {
    next,
    send,
    conclude,
    view: () => ({ open: orders.size - untold().length, untold: untold().length }),
    close: async () => {
      await telling.stop()
      await journal.close()
    }
  }
}
