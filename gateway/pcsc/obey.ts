// What the ledger has for a card that lies on a reader, one order after the other until there is none. It
// refuses to know what is ordered, and by whom.
import { hex } from '../../schemas/epurse/hex.ts'
import type { OrderName } from '../../schemas/epurse/maintenance.ts'
import { swText } from '../../schemas/epurse/status-words.ts'
import type { CardRef } from '../../schemas/record.ts'
import type { TerminalRef } from '../../schemas/terminals.ts'
import type { Orders, SignedOrder } from '../orders/orders.ts'
import type { Channel } from './exchange.ts'
import { type Given, giveOrder } from './order.ts'

export type Obeyed = {
  readonly orders: readonly OrderName[]
  /** `done`: there is nothing more to do. `refused`: the chip took the last one not. */
  readonly end: 'done' | 'refused' | 'unanswered' | 'lost'
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
    const { given, signed, nothing } = await obeyOne(card, terminal, orders, ref)
    if (signed !== null && (given.kind === 'obeyed' || given.kind === 'refused')) {
      const isDone = given.kind === 'obeyed'
      const sw = swText(isDone ? 0x9000 : given.sw)
      await orders.conclude(signed.order, { outcome: isDone ? 'obeyed' : 'refused', sw })
      if (!isDone) return { orders: obeyed, end: 'refused' }
      obeyed.push(signed.order.name)
      continue
    }
    const end = nothing ? 'done' : given.kind === 'lost' ? 'lost' : 'unanswered'
    return { orders: obeyed, end }
  }
  return { orders: obeyed, end: 'done' }
}

type One = { readonly given: Given, readonly signed: SignedOrder | null, readonly nothing: boolean }

async function obeyOne (card: Channel, terminal: TerminalRef, orders: Orders, ref: CardRef): Promise<One> {
  let signed: SignedOrder | null = null
  let nothing = false
  const given = await giveOrder(card, {
    challenge: true,
    sign: async challenge => {
      const next = await orders.next({ card: ref, ...terminal, challenge: hex(challenge) })
      if ('why' in next) {
        nothing = next.why === 'nothing'
        return next
      }
      signed = next
      return next
    },
    beforeSending: async () => { if (signed !== null) await orders.send(signed.order) }
  })
  return { given, signed, nothing }
}
