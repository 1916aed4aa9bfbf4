// One chip on the reader of an issuing desk: whose it is, or is to be, and what becomes of it. It refuses to
// know how a card is written and how a run is kept.
import { hex } from '../../schemas/epurse/hex.ts'
import { isUnwritten, type Plan, readCommand } from '../../schemas/epurse/issuing.ts'
import { describeStatus, isOk } from '../../schemas/epurse/status-words.ts'
import type { Channel } from '../pcsc/exchange.ts'
import { type Issued, issueCard, selectDirectory } from '../pcsc/issue.ts'
import type { Signed } from '../pcsc/order.ts'
import type { Batch, Unserved } from './batch.ts'

/** `serial` is null where the chip carries none and gets none. */
export type ChipResult =
  | { readonly kind: 'issued', readonly serial: string }
  | { readonly kind: 'interrupted' | 'spoiled', readonly serial: string | null, readonly why: string }
  | { readonly kind: Unserved | 'unusable' | 'batch_done', readonly serial: string | null }

export type Run = {
  readonly batch: Batch
  /** The finished command of a step of this plan; `why`: not now, the card can wait. */
  sign (plan: Plan, step: number, challenge: Uint8Array): Promise<Signed>
}

export async function serveChip (card: Channel, run: Run): Promise<ChipResult> {
  const { batch } = run
  const published = await readPublished(card, batch)
  if (published.kind === 'lost') return { kind: 'interrupted', serial: null, why: 'the card left' }
  if (published.kind === 'no_file') {
    await batch.unusable(null, published.why)
    return { kind: 'unusable', serial: null }
  }
  const plan = await planFor(batch, published.bytes)
  if (plan === null) return { kind: 'batch_done', serial: null }
  if (typeof plan === 'string') return { kind: plan, serial: published.bytes.slice(20, 40) }
  try {
    const result = await issueCard(card, plan, {
      sign: (step, challenge) => run.sign(plan, step, challenge), onNamed: () => batch.named(plan)
    })
    return await conclude(batch, plan, result)
  } finally {
    batch.release(plan)
  }
}

type Published =
  | { readonly kind: 'read', readonly bytes: string }
  | { readonly kind: 'no_file', readonly why: string }
  | { readonly kind: 'lost' }

async function readPublished (card: Channel, { profile }: Batch): Promise<Published> {
  const selected = await card.transmit(selectDirectory(profile, 'application'))
  if (selected.kind === 'unknown') return { kind: 'lost' }
  if (!isOk(selected.sw)) return { kind: 'no_file', why: describeStatus(selected.sw) }
  const read = await card.transmit(readCommand({ sfi: publishedSfi }))
  if (read.kind === 'unknown') return { kind: 'lost' }
  return isOk(read.sw)
    ? { kind: 'read', bytes: hex(read.data) }
    : { kind: 'no_file', why: describeStatus(read.sw) }
}
const publishedSfi = 0x15

const planFor = (batch: Batch, published: string): Promise<Plan | Unserved | null> =>
  isUnwritten(published) ? batch.begin() : batch.resume(published)

async function conclude (batch: Batch, plan: Plan, result: Issued): Promise<ChipResult> {
  const { serial } = plan
  switch (result.kind) {
    case 'issued':
      await batch.issued(plan)
      return { kind: 'issued', serial }
    case 'interrupted':
      if (result.untouched) await batch.giveBack(plan)
      return { kind: 'interrupted', serial, why: `${result.at}: ${result.why}` }
    case 'spoiled': {
      if (result.first) {
        await batch.unusable(plan, result.why)
        return { kind: 'unusable', serial: null }
      }
      await batch.spoiled(plan, result.at, result.why)
      return { kind: 'spoiled', serial, why: `${result.at}: ${result.why}` }
    }
  }
}
