// An issuing run from beginning to end: the batch fetched from the ledger, a desk at a reader, each card's
// end told until it is heard. It refuses to know the environment.
import { setTimeout as delay } from 'node:timers/promises'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/value'
import type { Clock } from '../../runtime/clock.ts'
import type { HttpClient } from '../../runtime/http-client.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import type { Log } from '../../runtime/log.ts'
import { IssuedCard, IssuedOutcomeReply } from '../../schemas/card-issuing.ts'
import { GatewayConfig, PcscConfig } from '../../schemas/gateway.ts'
import { askUntil } from '../asking.ts'
import type { Reader } from '../pcsc/port.ts'
import type { FileLayer } from '../spool/files.ts'
import { keepTelling } from '../telling.ts'
import { type Batch, type BatchReport, openBatch } from './batch.ts'
import { openIssuingDesk } from './desk.ts'
import type { ChipResult } from './run.ts'
import { ledgerSigner } from './signer.ts'

export const DeskConfig = Type.Object({
  ledger: GatewayConfig.properties.ledger,
  dir: Type.String({
    minLength: 1, description: 'what became of each card of a batch, on a disk that flushes'
  }),
  pcsc: Type.Optional(PcscConfig),
  readers: Type.Array(Type.String({ minLength: 1, maxLength: 128 }), {
    minItems: 1, maxItems: 14, uniqueItems: true,
    description: 'PC/SC names, such as ISSUE 00 00; each takes one chip after the other'
  }),
  transmitDeadlineMs: Type.Optional(Type.Integer({ minimum: 50, maximum: 60_000, description: '5000' }))
}, { additionalProperties: false, $id: 'DeskConfig' })
export type DeskConfig = Static<typeof DeskConfig>

export type IssuingRun = {
  readonly batch: string
  readonly http: HttpClient
  readonly files: FileLayer
  readonly readers: readonly Reader[]
  readonly deadlineMs: number
  readonly clock: Clock
  readonly nowMs: () => number
  readonly random: () => number
  readonly log: Log
  /** The chip may be taken away. */
  readonly onChip: (result: ChipResult) => void
  /** Somebody wants to go home: the chip on the reader is finished first. */
  readonly over: AbortSignal
}

const limits = { tellMs: 10_000, retryMs: 100, backoffMs: 250, backoffMaxMs: 15_000, lookMs: 50 } as const

/** Resolves when every card has its end and the ledger knows of it, or it is over. */
export async function runIssuing (run: IssuingRun): Promise<BatchReport> {
  const { http, files, clock, nowMs, log, readers, deadlineMs } = run
  const cards = await cardsOfBatch(http, run.batch)
  const batch = await openBatch({ batch: run.batch, cards, files, clock })
  const telling = keepTelling({
    what: 'what became of cards', next: () => batch.untold() ?? undefined,
    waiting: () => batch.untold() === null ? 0 : 1,
    tell: (one, over) => tell(run, batch, one, over), ...limits, random: run.random, log
  })
  const desks = readers.map(reader => openIssuingDesk({
    reader,
    run: { batch, sign: ledgerSigner({ http, nowMs, batch: run.batch }) },
    deadlineMs,
    log,
    onChip: result => {
      run.onChip(result)
      telling.wake()
    }
  }))
  while (!run.over.aborted && !isDone(batch)) await delay(limits.lookMs)
  await Promise.all(desks.map(desk => desk.close()))
  await telling.stop()
  const report = batch.report()
  await batch.close()
  return report
}

const isDone = (batch: Batch): boolean => {
  const { waiting, open } = batch.report()
  return waiting === 0 && open.length === 0 && batch.untold() === null
}

const CardPage = Type.Object({
  items: Type.Array(IssuedCard), next: Type.Union([Type.String(), Type.Null()])
})

/** Throws where the ledger does not answer, or has no such batch. */
async function cardsOfBatch (http: HttpClient, batch: string): Promise<IssuedCard[]> {
  const cards: IssuedCard[] = []
  for (let after: string | null = ''; after !== null;) {
    const query: string = after === '' ? '' : `&after=${after}`
    const answer = await http.get(`/v1/issuing/batches/${batch}/cards?limit=1000${query}`, { tries: 5 })
    if (!Check(CardPage, answer)) throw new Error('the ledger answered something else than cards')
    cards.push(...answer.items)
    after = answer.next
  }
  return cards
}

/** Null when the ledger has heard it. */
async function tell (
  { http, nowMs, batch: name, log }: IssuingRun, batch: Batch,
  { plan, end }: NonNullable<ReturnType<Batch['untold']>>, over: AbortSignal
): Promise<string | null> {
  killPoint('issued-before-told')
  const { issuer, serial } = plan
  const why = end.state === 'spoiled' ? { at: end.at.slice(0, 100), why: end.why.slice(0, 200) } : {}
  const asked = await askUntil({
    http, path: '/v1/issuing/outcomes', schema: IssuedOutcomeReply, nowMs, over, retryMs: limits.retryMs,
    deadlineMs: limits.tellMs,
    body: { batch: name, card: { issuer, serial, issue: 1 }, outcome: end.state, ...why }
  })
  if (asked.outcome !== 'replied') return asked.why
  if (asked.reply.state !== end.state) {
    const told = { alarm: 'issued_otherwise', serial: serial.slice(-4), state: asked.reply.state }
    log.error(told, 'the ledger has heard otherwise')
  }
  await batch.told(plan)
  return null
}
