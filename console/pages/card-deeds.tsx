// What a counter does for a card, each as a button that asks for what it needs. Whether somebody may is
// decided by the ledger.
import { useState } from 'react'
import type { BlacklistEntry, CardDetail } from '../../schemas/api.ts'
import type { NewCardOrder } from '../../schemas/card-order.ts'
import type { DisputeRequest } from '../../schemas/redress.ts'
import type { ChainEntry } from '../../schemas/tracing.ts'
import { deeds } from '../api/doors.ts'
import { useRole } from '../api/session.tsx'
import { cardIn } from '../cards.ts'
import { cityInstant, fenIn, yuanField } from '../format.ts'
import { DeedButton } from '../parts/deed-button.tsx'
import { Choice, LongField, TextField } from '../parts/fields.tsx'
import { useWords } from '../words/words.tsx'

type Given = { readonly card: CardDetail, readonly done: (text: string) => void }
type Order = NewCardOrder['order']
/** As many characters as the ledger wants of a reason. */
const reasonMin = 10

const orders = {
  unblock_application: { name: 'unblock_application' },
  unblock_pin: { name: 'unblock_pin' },
  block_application: { name: 'block_application', form: 'temporary' },
  block_card: { name: 'block_card' }
} as const satisfies Readonly<Record<string, Order>>

/** Something that the chip is to do when it lies on a reader next. */
export function OrderDeed ({ card: { card }, done }: Given) {
  const { words: { card: words, items } } = useWords()
  const [name, setName] = useState<keyof typeof orders>('unblock_application')
  const [reason, setReason] = useState('')
  if (!useRole('clerk', 'registrar')) return null
  return (
    <DeedButton
      label={words.order} ready={reason !== ''} done={() => done(words.orderGiven)}
      run={key => deeds.order({ card, order: orders[name], reason: reason.slice(0, 200) }, key)}
      sure={
        <>
          <p>{words.orderWhy}</p>
          <Choice
            label={words.what} value={name} onChange={value => setName(value as keyof typeof orders)}
            options={Object.keys(orders).map(each => [each, words.orders[each as keyof typeof orders]])}
          />
          <LongField label={items.note} value={reason} onChange={setReason} />
        </>
      }
    />
  )
}

const lossReasons = ['oral_loss', 'loss', 'fraud', 'cancelled', 'death'] as const

/** Onto the blacklist, at once. */
export function LossDeed ({ card: { card }, done }: Given) {
  const { words: { card: words } } = useWords()
  const [reason, setReason] = useState<BlacklistEntry['reason']>('oral_loss')
  const [at, setAt] = useState('')
  if (!useRole('registrar')) return null
  return (
    <DeedButton
      label={words.loss} ready={at !== ''} done={() => done(words.lossDone)}
      run={key => deeds.list({ card, reason, at: cityInstant(at) }, key)}
      sure={
        <>
          <p>{words.lossWhy}</p>
          <Choice
            label={words.listedFor} value={reason}
            onChange={value => setReason(value as BlacklistEntry['reason'])}
            options={lossReasons.map(each => [each, words.reasons[each]])}
          />
          <TextField label={words.lossAt} type='datetime-local' value={at} onChange={setAt} />
        </>
      }
    />
  )
}

/** Off the blacklist: somebody else agrees. */
export function DelistDeed ({ card: { card }, done }: Given) {
  const { words: { card: words, items } } = useWords()
  const [reason, setReason] = useState('')
  if (!useRole('registrar', 'clerk')) return null
  return (
    <DeedButton
      label={words.delist} ready={reason.length >= reasonMin} done={() => done(words.proposed)}
      run={key => deeds.propose({ kind: 'blacklist_removal', body: { cards: [card] }, reason }, key)}
      sure={
        <>
          <p>{words.delistWhy}</p>
          <LongField label={items.reason} value={reason} onChange={setReason} />
        </>
      }
    />
  )
}

type OfUse = {
  readonly card: string, readonly entry: ChainEntry, readonly done: (text: string) => void
}

/** A part or all of what was paid, back into what waits for the chip. */
export function RefundDeed ({ card, entry: { counter, amountFen }, done }: OfUse) {
  const { words: { card: words, items } } = useWords()
  const [amount, setAmount] = useState(yuanField(amountFen))
  const [reason, setReason] = useState('')
  const fen = fenIn(amount)
  const ref = cardIn(card)
  if (ref === null) return null
  return (
    <DeedButton
      label={words.refund} ready={fen !== null && fen > 0 && reason.length >= reasonMin}
      run={key => deeds.refund(
        { card: ref, counter, amountFen: fen ?? 0, reason, reference: key }, key)}
      done={({ state }) => done(state === 'pending' ? words.proposed : words.refunded)}
      sure={
        <>
          <p>{words.refundWhy(String(counter))}</p>
          <TextField label={words.amountYuan} value={amount} onChange={setAmount} />
          <LongField label={items.reason} value={reason} onChange={setReason} />
        </>
      }
    />
  )
}

const sides = ['holder', 'issuer'] as const

export function DisputeDeed ({ card, entry: { counter, amountFen }, done }: OfUse) {
  const { words: { card: words, items, disputes } } = useWords()
  const [side, setSide] = useState<DisputeRequest['side']>('holder')
  const [amount, setAmount] = useState(yuanField(amountFen))
  const [reason, setReason] = useState('')
  const fen = fenIn(amount)
  const ref = cardIn(card)
  if (ref === null) return null
  return (
    <DeedButton
      label={disputes.raise} ready={fen !== null && fen > 0 && reason.length >= reasonMin}
      run={key => deeds.dispute({ card: ref, counter, side, amountFen: fen ?? 0, reason }, key)}
      done={() => done(disputes.raised)}
      sure={
        <>
          <p>{disputes.why(String(counter))}</p>
          <Choice
            label={disputes.side} value={side} onChange={value => setSide(value as DisputeRequest['side'])}
            options={sides.map(each => [each, disputes.sides[each]])}
          />
          <TextField label={words.amountYuan} value={amount} onChange={setAmount} />
          <LongField label={items.reason} value={reason} onChange={setReason} />
        </>
      }
    />
  )
}
