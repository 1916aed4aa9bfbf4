// A process that does one step of a clearing day on a database and dies where CITIZEN_CARD_KILL_AT says:
//   day-worker.ts DATABASE_URL SIGNING_KEY close | approve STAFF_ID NAME | instruct
import { randomBytes } from 'node:crypto'
import { manualClock } from '../../runtime/clock.ts'
import { createLog } from '../../runtime/log.ts'
import { closeDay } from '../../ledger/day/close-day.ts'
import { viewDay } from '../../ledger/day/day-view.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { openSigner, startSealer } from '../../ledger/proof/seal.ts'
import { approveDay, instructDay } from '../../ledger/day/settle.ts'
import { openDb } from '../../ledger/store/db.ts'
import { registryCache } from '../../ledger/store/registry.ts'

const [url = '', key = '', verb = '', staffId = '0', name = 'settler'] = process.argv.slice(2)
const date = '2026-03-02'
const clock = manualClock(Date.parse('2026-03-03T01:00:00+08:00'))
const db = openDb(url, { max: 2 })
const sealer = await startSealer({
  db, signer: openSigner(key), now: () => clock.now(), everyMs: 3_600_000, onError: error => { throw error }
})
const ledger = {
  db, clock, sealer, log: createLog('day-worker', { level: 'silent' }), registry: registryCache(db),
  random: (length: number) => randomBytes(length), partitionDays: 3
} as unknown as Ledger

if (verb === 'close') await closeDay(ledger, date, name)
if (verb === 'approve') {
  const digest = Buffer.from((await viewDay(ledger, date)).digest ?? '', 'hex')
  await approveDay(ledger, date, { staffId: Number(staffId), name }, digest)
}
if (verb === 'instruct') await instructDay(ledger, date, name)
await sealer.stop()
await db.end()
