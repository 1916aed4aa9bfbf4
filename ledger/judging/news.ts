// What a delivery tells the watch: which PSAM sequences it knows of, which chains need another look, where
// top-value debits were made. Pure, one walk over the lines.
import type { LastTac } from '../store/last-tacs.ts'
import type { News, TopDebits } from '../store/news.ts'
import type { ChipKey } from '../store/records.ts'
import type { RideRow } from '../store/rides.ts'
import type { Run } from '../store/sequences.ts'
import type { Decision } from './book.ts'
import type { Kept } from './plain.ts'
import { isForeign, purseNumber, type Prepared } from './sort-out.ts'

const minuteMs = 60_000

export function newsOf (
  lines: readonly Prepared[], decision: Pick<Decision, 'troubled' | 'results' | 'evidence'>,
  topDebitFen: number,
  kept: Kept | null
): News {
  const sequences = kept === null ? new Map<number, number[]>() : sequencesOf(kept)
  const tops = new Map<string, { -readonly [K in keyof TopDebits]: TopDebits[K] }>()
  const proofs = proofsIn(decision)
  for (const line of lines) {
    const { record, psam, terminal } = line
    // A record whose TAC is wrong vouches for no sequence.
    if (psam === null || psam.test || line.tacValid === false) continue
    const known = sequences.get(psam.psamId)
    if (known === undefined) sequences.set(psam.psamId, [record.sequence])
    else known.push(record.sequence)
    if (record.amountFen < topDebitFen || terminal === null || proofs.has(line.lineNo) ||
      isRepeat(decision, line)) continue
    if (line.operator?.kind === 'centre') continue // one terminal stands for thousands
    const minute = Math.floor(line.eventAtMs / minuteMs) * minuteMs
    const key = `${terminal.terminalId} ${minute}`
    const top = tops.get(key)
    if (top === undefined) tops.set(key, { terminalId: terminal.terminalId, minuteMs: minute, debits: 1 })
    else top.debits++
  }
  const runs = [...sequences].flatMap(([psamId, numbers]) => runsOf(psamId, numbers))
  return { runs, purses: [...kept?.troubled ?? [], ...decision.troubled], tops: [...tops.values()] }
}

/** What records say of the debit before theirs: a TAC that only we, who issued the card, can verify. */
export const lastTacsIn = (lines: readonly Prepared[]): LastTac[] =>
  lines.flatMap(({ record, card }) => record.lastTac === undefined || card === null || isForeign(card)
    ? []
    : [{
        bucket: card.bucket, cardId: card.cardId, purse: purseNumber(record), counter: record.counter - 1,
        tac: Buffer.from(record.lastTac, 'hex')
      }])

/** The counters of which a debit was told whose end nobody saw. */
export const greysIn = ({ evidence }: Pick<Decision, 'evidence'>): ChipKey[] =>
  evidence.flatMap(({ kind, bucket, cardId, purse, counter }) =>
    kind !== 'grey' || cardId === null || purse === null || counter === null
      ? []
      : [{ bucket, cardId, purse, counter }])

/** What signed records of our own cards told of where the card was. */
export const ridesIn = (lines: readonly Prepared[]): RideRow[] =>
  lines.flatMap(({ record, card, bucket, content, tacValid, eventAtMs: atMs }) => {
    const { ride, line = '', vehicle = '', counter } = record
    if (ride === undefined || card === null || isForeign(card)) return []
    if (tacValid !== true || record.purse !== 'ep') return []
    const { stop = null, sense, rider = 1, riders = 1 } = ride
    return [{
      bucket, cardId: card.cardId, counter, content, atMs, line, vehicle, stop, sense, rider, riders
    }]
  })

function sequencesOf ({ lines, places, psams }: Kept): Map<number, number[]> {
  const found = new Map<number, number[]>()
  for (const place of places) {
    const psamId = psams[lines.psamPlace[place] as number]?.psamId ?? 0
    const known = found.get(psamId)
    if (known === undefined) found.set(psamId, [lines.sequence[place] as number])
    else known.push(lines.sequence[place] as number)
  }
  return found
}

/** Lines that prove a grey debit, which was counted when it was told. */
const proofsIn = ({ evidence }: Pick<Decision, 'evidence'>): Set<number> =>
  new Set(evidence.flatMap(({ kind, lineNo }) => kind === 'completion' ? [lineNo] : []))

const isRepeat = ({ results }: Pick<Decision, 'results'>, { index }: Prepared): boolean =>
  results[index]?.replayed === true || results[index]?.reason === 'duplicate'

/** 1, 2, 3, 7 → 1–3, 7–7. */
export function runsOf (psamId: number, sequences: readonly number[]): Run[] {
  const runs: { low: number, high: number }[] = []
  for (const sequence of [...sequences].sort((a, b) => a - b)) {
    const last = runs.at(-1)
    if (last !== undefined && sequence <= last.high + 1) last.high = sequence
    else runs.push({ low: sequence, high: sequence })
  }
  return runs.map(({ low, high }) => ({ psamId, low: BigInt(low), high: BigInt(high) }))
}
