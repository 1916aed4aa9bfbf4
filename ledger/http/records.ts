// The door for records: what the uplink of a gateway brings.
import { createHash } from 'node:crypto'
import { DeliveryReply, RecordDelivery, type DeliveryReply as Reply } from '../../schemas/api.ts'
import { limits } from '../../schemas/limits.ts'
import { readRecord } from '../intake/incoming.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { submit, type Submitted } from '../intake/submit.ts'
import type { App } from './app.ts'
import { callerIn, type Caller } from './auth.ts'

export const recordRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/records', {
    config: { allow: ['gateway', 'operator'], repeated: 'The same `delivery` gets its first answer again.' },
    bodyLimit: limits.deliveryBytesMax,
    schema: { body: RecordDelivery, response: { 200: DeliveryReply } }
  }, async request => {
    const { delivery, records } = request.body
    requireOwn(callerIn(request), records)
    const raw = request.rawBody ?? Buffer.alloc(0)
    const submitted = await submit(ledger, {
      kind: 'json',
      source: callerIn(request).id,
      externalId: delivery,
      raw,
      digest: createHash('sha256').update(raw).digest(),
      lines: records.map((record, index) => readRecord(record, index + 1))
    })
    return replyOf(ledger, delivery, submitted)
  })
}

/** A company's client or person brings what the own terminals made; a gateway brings anybody's. */
function requireOwn ({ id, party }: Caller, records: readonly unknown[]): void {
  if (party === null) return
  const at = records.findIndex(record => {
    const { operator } = (record ?? {}) as { operator?: unknown }
    return typeof operator === 'string' && operator !== party
  })
  if (at < 0) return
  throw new Refusal('forbidden', `${id} brings records of ${party} only`, `/records/${at}/operator`)
}

const replyOf = (ledger: Ledger, delivery: string, submitted: Submitted): Reply => ({
  delivery,
  replayed: submitted.replayed,
  clearingDate: submitted.clearingDate,
  results: submitted.results.map((result, index) => ({ index, ...result })),
  head: ledger.sealer.head()
})
