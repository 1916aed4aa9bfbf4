// A month of rides in a ledger on a real PostgreSQL: priced once, and again after a tariff was corrected,
// with what follows booked. How records come in is measured elsewhere: here they are written as accepted.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../../bin/postgres.ts'
import { manualClock } from '../../runtime/clock.ts'
import { createLog } from '../../runtime/log.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { register } from '../../ledger/parameters/registry.ts'
import { publishDocument } from '../../ledger/services/transit/documents.ts'
import { priceDueCards } from '../../ledger/services/transit/price-cards.ts'
import { balances } from '../../ledger/store/balances.ts'
import { numbers, instants } from '../../ledger/store/columns.ts'
import { findCards } from '../../ledger/store/cards.ts'
import { inTransaction, openDb } from '../../ledger/store/db.ts'
import { migrate } from '../../ledger/store/migrate.ts'
import { ensureHouseAccounts, registryCache } from '../../ledger/store/registry.ts'
import { insertRides } from '../../ledger/store/rides.ts'
import { outcomeNumbers, reasonNumbers } from '../../schemas/reasons.ts'
import { bucketOf, cardKey, type CardRef } from '../../schemas/record.ts'
import type { Tap } from '../../schemas/tariff/journey.ts'
import { dueByTap, priceCard } from '../../schemas/tariff/price-card.ts'
import { faresFrom, firstDocument, history } from './city.ts'

const cardsAtOnce = 200
/** A bus ride costs that much less by the corrected tariff, and no cap or transfer meets these rides. */
const cheaperFen = 20
const corrected = {
  ...firstDocument,
  version: 2,
  from: '2026-03-01T04:30:00+08:00',
  services: firstDocument.services.map(service => service.id === 'bus' && service.fare.kind === 'flat'
    ? { ...service, fare: { ...service.fare, cardFen: service.fare.cardFen - cheaperFen } }
    : service)
}
const terminals = { BUS: 'B1', MET: 'M1' } as const

export type Month = (card: number) => Tap[]

/** Throws where the ledger does not give back what the bus rides cost too much. */
export async function repriceInLedger (
  cardCount: number, monthOf: Month
): Promise<Record<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), 'fares-'))
  const postgres = await startPostgres({ dataDir: join(folder, 'data') })
  const db = openDb(await postgres.ensureDatabase('fares'), { max: 4 })
  try {
    await migrate(db)
    await ensureHouseAccounts(db)
    const ledger = await openLedger(db)
    await publishDocument(ledger, firstDocument, bencher)
    const { journeys, busRides } = await fill(ledger, cardCount, monthOf)
    await db.query('vacuum (analyze)')
    const first = await priceAll(ledger, cardCount)
    await publishDocument(ledger, corrected, bencher)
    const again = await priceAll(ledger, cardCount)
    const pending = (await balances(db, null)).find(({ heading }) => heading === 'pending-load')
    const backFen = pending === undefined ? 0 : Number(pending.creditFen - pending.debitFen)
    assert(again.heapMiB <= 2 * again.firstHeapMiB + 64, `the heap grew from ${again.firstHeapMiB} MiB`)
    assert.equal(backFen, busRides * cheaperFen, 'what comes back to the holders')
    return {
      ledgerJourneys: journeys, firstSeconds: first.seconds, againSeconds: again.seconds,
      againPerSecond: Math.round(journeys / again.seconds), againHeapMiB: again.heapMiB,
      againFirstHeapMiB: again.firstHeapMiB
    }
  } finally {
    await db.end()
    await postgres.destroy()
    rmSync(folder, { recursive: true, force: true })
  }
}

const bencher = { name: 'bench', roles: [], branch: null, party: null }

async function openLedger (db: ReturnType<typeof openDb>): Promise<Ledger> {
  const ledger = {
    db, clock: manualClock(Date.parse('2026-04-01T12:00:00+08:00')), registry: registryCache(db),
    log: createLog('bench', { level: 'silent' }), random: randomBytes, partitionDays: 3
  } as unknown as Ledger
  const party = (code: string) =>
    ({ code, kind: 'operator', nameZh: code, nameEn: code, service: 'transit' } as const)
  await register(ledger, {
    clearingDate: '2026-04-01',
    parties: [
      { code: 'ISS', kind: 'issuer', nameZh: '市民卡公司', nameEn: 'Card company' },
      { code: 'TRE', kind: 'treasury', nameZh: '财政', nameEn: 'Treasury' },
      ...['BUS', 'MET', 'MET2', 'MET3'].map(party)
    ],
    terminals: Object.entries(terminals).map(([operator, terminal]) => ({ operator, terminal }))
  })
  return ledger
}

/** Each tap cost its card what the first tariff asks. */
async function fill (
  ledger: Ledger, cardCount: number, monthOf: Month
): Promise<{ journeys: number, busRides: number }> {
  const { db } = ledger
  const fares = faresFrom(firstDocument)
  const snapshot = await ledger.registry()
  const terminalOf = (operator: string) =>
    snapshot.terminals.get(terminals[operator as keyof typeof terminals])?.[0]?.terminalId ?? 0
  let [journeys, busRides] = [0, 0]
  for (let from = 0; from < cardCount; from += cardsAtOnce) {
    const refs = Array.from({ length: Math.min(cardsAtOnce, cardCount - from) }, (_, at): CardRef =>
      ({ issuer: '02313750FFFFFFFF', serial: `0310499060${String(from + at).padStart(10, '0')}`, issue: 1 }))
    await register(ledger, {
      cards: refs.map(card => ({
        card, profile: 't-union', type: 'anonymous', suite: '3des', keyVersion: 1, cityFactor: null,
        balanceFen: 100_000, counter: 0, soldBy: null, depositFen: 0
      }))
    })
    const found = await findCards(db, refs)
    const rows = refs.flatMap((ref, at) => {
      const taps = monthOf(from + at)
      const priced = priceCard(fares, history(taps)).journeys
      const due = dueByTap(priced)
      journeys += priced.length
      busRides += taps.filter(({ operator }) => operator === 'BUS').length
      const place = { bucket: bucketOf(ref), cardId: found.get(cardKey(ref))?.cardId ?? 0n }
      return taps.map(tap =>
        ({ ...tap, ...place, content: randomBytes(32), fen: due.get(tap.counter) ?? 0 }))
    })
    await inTransaction(db, async tx => {
      await tx.query(`
        insert into card_event (bucket, card_id, purse, counter_kind, counter, type, amount_fen,
          balance_before_fen, psam_id, sequence, terminal_id, event_at, content, outcome, reason, delivery_no,
          line_no, batch_id, clearing_date)
        select bucket, card_id, 2, 0, counter, 6, fen, 0, 1, counter, terminal_id, at, content, $8, $9, 0, 0,
          0, '2026-04-01'
        from unnest($1::smallint[], $2::bigint[], $3::int[], $4::bigint[], $5::int[], $6::timestamptz[],
          $7::bytea[]) as r (bucket, card_id, counter, fen, terminal_id, at, content)`, [
        numbers(rows.map(r => r.bucket)), numbers(rows.map(r => r.cardId)), numbers(rows.map(r => r.counter)),
        numbers(rows.map(r => r.fen)), numbers(rows.map(r => terminalOf(r.operator))),
        instants(rows.map(r => r.atMs)), rows.map(r => r.content), outcomeNumbers.accepted, reasonNumbers.ok])
      await insertRides(tx, rows)
    })
  }
  return { journeys, busRides }
}

/** All cards that are due, and the most that the heap held in the first quarter and over all. */
async function priceAll (
  ledger: Ledger, cardCount: number
): Promise<{ seconds: number, heapMiB: number, firstHeapMiB: number }> {
  let [peakBytes, firstBytes] = [0, 0]
  const startMs = performance.now()
  let priced = 0
  const random = (length: number) => { // once for each set of cards
    const { heapUsed } = process.memoryUsage()
    priced += cardsAtOnce
    peakBytes = Math.max(peakBytes, heapUsed)
    if (priced <= cardCount / 4) firstBytes = Math.max(firstBytes, heapUsed)
    return ledger.random(length)
  }
  assert.equal(await priceDueCards({ ...ledger, random }), cardCount, 'every card was due')
  const seconds = (performance.now() - startMs) / 1_000
  return { seconds, heapMiB: mib(peakBytes), firstHeapMiB: mib(firstBytes) }
}

const mib = (bytes: number): number => Math.round(bytes / 2 ** 20)
