// A ledger without its HTTP door on a real PostgreSQL, and a terminal that makes TAC-valid records for it.
import { createHash } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres, type Postgres } from '../../bin/postgres.ts'
import { manualClock, type ManualClock } from '../../runtime/clock.ts'
import { createLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { createRandom } from '../../terminal-sim/random.ts'
import { diversify } from '../../schemas/epurse/keys.ts'
import { hex, u32, unhex } from '../../schemas/epurse/hex.ts'
import { purchaseTac } from '../../schemas/epurse/mac.ts'
import { suites } from '../../schemas/epurse/suite.ts'
import type { Card, Registry } from '../../schemas/api.ts'
import type { CardRef, TransactionRecord } from '../../schemas/record.ts'
import { cardNamer } from '../../ledger/core/mask.ts'
import { readRecord } from '../../ledger/intake/incoming.ts'
import { createLanes } from '../../ledger/intake/lanes.ts'
import { createMeters } from '../../ledger/meters.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { register } from '../../ledger/parameters/registry.ts'
import { openDb, type Db } from '../../ledger/store/db.ts'
import { migrate } from '../../ledger/store/migrate.ts'
import { ensureHouseAccounts, registryCache } from '../../ledger/store/registry.ts'
import { submit, type Submitted } from '../../ledger/intake/submit.ts'
import { sealKeys } from '../../ledger/keys/key-file.ts'
import { startTacPool } from '../../ledger/tac/tac-pool.ts'

/** Made up: first 16 bytes of SHA-256 of `citycard-test-MTK`. */
export const masterTacKey = unhex('F2D23B57E89AB2A989BAA3D309F857B2')
export const noon = Date.parse('2026-03-02T12:00:00+08:00')

export type Bench = {
  readonly freshLedger: (cards: number) => Promise<{
    ledger: Ledger, db: Db, clock: ManualClock, close: () => Promise<void>
  }>
  readonly stop: () => Promise<void>
}

export async function startBench (): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'posting-'))
  // Nothing here outlives the test, so nothing is flushed: the many fresh databases would wait for the disk.
  const postgres = await startPostgres({ dataDir: join(folder, 'data'), settings: { fsync: 'off' } })
  const keyFile = join(folder, 'keys.json')
  const keys = { tac: [{ keyVersion: 1, suite: '3des' as const, master: hex(masterTacKey) }] }
  writeFileSync(keyFile, sealKeys(keys, 'test', new Uint8Array(16), new Uint8Array(12)))
  const tac = await startTacPool({ workers: 1, keyFile, passphrase: 'test' })
  const random = createRandom('posting')
  const admin = openDb(await makeTemplate(postgres), { max: 1 })
  let databases = 0
  return {
    freshLedger: async cards => {
      const name = `posting_${databases++}`
      await admin.query(`create database ${name} template posting_template strategy file_copy`)
      const db = openDb(postgres.url(name), { max: 6 })
      const clock = manualClock(noon)
      const ledger = {
        db, clock, tac, log: createLog('test', { level: 'silent' }), registry: registryCache(db),
        random: (length: number) => Buffer.from(random.bytes(length)), partitionDays: 3, lanes: createLanes(),
        nameCard: cardNamer(new Uint8Array(32)),
        meters: createMeters(createMetrics(), { db, clock, lanesWaiting: () => 0 })
      } as unknown as Ledger
      await register(ledger, fixture(cards))
      return { ledger, db, clock, close: async () => { await db.end() } }
    },
    stop: async () => {
      await tac.close()
      await admin.end()
      await postgres.destroy()
    }
  }
}

/** One database with the schema, to be copied; the address of another one to do it from. */
async function makeTemplate (postgres: Postgres): Promise<string> {
  const template = openDb(await postgres.ensureDatabase('posting_template'), { max: 1 })
  await migrate(template)
  await ensureHouseAccounts(template)
  await template.end()
  return postgres.url('postgres')
}

export const cardOf = (number: number): CardRef =>
  ({ issuer: '02313750FFFFFFFF', serial: `0310499060${String(number).padStart(10, '0')}`, issue: 1 })

/** Each card holds 50.00 and has used counter 100. Terminal B1 of BUS has a PSAM, M1 of MET another. */
const fixture = (cards: number): Registry => ({
  clearingDate: '2026-03-02',
  parties: [
    { code: 'ISS', kind: 'issuer', nameZh: '市民卡公司', nameEn: 'Card company' },
    { code: 'BUS', kind: 'operator', nameZh: '公交', nameEn: 'Bus', service: 'transit' },
    { code: 'MET', kind: 'operator', nameZh: '地铁', nameEn: 'Metro', service: 'transit' }],
  terminals: [{ terminal: 'B1', operator: 'BUS' }, { terminal: 'M1', operator: 'MET' }],
  psams: [psam('990000000001', 'B1'), psam('990000000002', 'M1')],
  cards: Array.from({ length: cards }, (_, number): Card => ({
    card: cardOf(number), profile: 't-union', type: number === 9 ? 'test' : 'anonymous', suite: '3des',
    keyVersion: 1,
    cityFactor: null, balanceFen: 5_000, counter: 100, soldBy: null, depositFen: 0
  }))
})
const psam = (number: string, terminal: string) => ({
  psam: number, issue: 1, terminal, from: '2025-01-01T00:00:00+08:00', to: null, stolenAt: null, test: false
})

/** A record of card `number` at counter 100 + `nth` with a TAC that is right for what it says. */
export function recordOf (
  number: number, nth: number, more: Partial<TransactionRecord> = {}
): TransactionRecord {
  const record: TransactionRecord = {
    card: cardOf(number), purse: 'ep', type: '06', counter: 100 + nth,
    balanceBeforeFen: 5_000 - 180 * (nth - 1),
    amountFen: 180, psam: '990000000001', sequence: 1_000 * number + nth, dateTime: '20260302083015',
    tac: null,
    grey: false, keyVersion: 1, algorithm: 0, operator: 'BUS', terminal: 'B1',
    recordNo: 1 + 1_000 * number + nth, ...more
  }
  return record.grey || 'tac' in more ? record : { ...record, tac: tacOf(record) }
}

function tacOf (record: TransactionRecord): string {
  const suite = suites['3des']
  return hex(purchaseTac({
    suite, dtk: diversify(
      suite, masterTacKey, [unhex(record.card.serial).subarray(2)]
    ), amountFen: record.amountFen,
    type: Number.parseInt(record.type, 16), terminal6: unhex(record.psam), sequence4: u32(record.sequence),
    date4: unhex(record.dateTime.slice(0, 8)), time3: unhex(record.dateTime.slice(8))
  }))
}

export async function deliver (ledger: Ledger, id: string, records: readonly unknown[]): Promise<Submitted> {
  const raw = Buffer.from(JSON.stringify({ delivery: id, records }))
  return await submit(ledger, {
    kind: 'json', source: 'GW', externalId: id, raw, digest: createHash('sha256').update(raw).digest(),
    lines: records.map((record, index) => readRecord(record, index + 1))
  })
}

/** `ok`, `grey`, `ok again`: reasons in the order of the lines. */
export const said = ({ results }: Submitted): string =>
  results.map(result => result.replayed ? `${result.reason} again` : result.reason).join(', ')
