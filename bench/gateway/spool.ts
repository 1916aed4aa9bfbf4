// Records per second from a device into the spool and through the uplink to a stand-in of the ledger, beside
// bare appends of the same size that are flushed each: by one device alone, and by fourteen at once.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { directoryLayer } from '../../gateway/spool/files.ts'
import { type Spool, openSpool } from '../../gateway/spool/spool.ts'
import { startUplink } from '../../gateway/uplink/uplink.ts'
import { systemClock } from '../../runtime/clock.ts'
import { createHttpClient } from '../../runtime/http-client.ts'
import { createLog } from '../../runtime/log.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import { startStandIn } from '../support/stand-in.ts'

const recordsPerDevice = 300

export async function recordsThrough (): Promise<Record<string, unknown>> {
  const figures: Record<string, unknown> = {}
  for (const devices of [1, 14]) figures[`${devices} devices`] = await side(devices)
  return figures
}

async function side (devices: number): Promise<Record<string, number>> {
  const dir = mkdtempSync(join(tmpdir(), 'spool-bench-'))
  const ledger = await startStandIn()
  const taken = new Set<string>()
  ledger.onRecords = records => { for (const one of records) taken.add(`${one.terminal}/${one.recordNo}`) }
  const spool = await openSpool({ files: directoryLayer(join(dir, 'spool')), clock: systemClock })
  const http = createHttpClient({ baseUrl: ledger.url, random: () => 0.5, tries: 1 })
  let deliveries = 0
  const uplink = startUplink({
    spool, http, log: createLog('bench', { level: 'silent' }), random: () => 0.5,
    newDelivery: () => `bench-${++deliveries}`, onHead: () => undefined,
    settings: {
      batchMax: 500, lingerMs: 20, retryMs: 20, retryMaxMs: 100, tryTimeoutMs: 30_000, parkedMax: 1
    }
  })
  try {
    const count = devices * recordsPerDevice
    const bareSeconds = await bareAppends(dir, recordsPerDevice)
    const startMs = performance.now()
    await Promise.all(Array.from({ length: devices }, (_, device) => collect(spool, `D${device}`)))
    const keptSeconds = (performance.now() - startMs) / 1_000
    while (spool.status().depth > 0) await delay(5)
    const deliveredSeconds = (performance.now() - startMs) / 1_000
    assert.equal(taken.size, count, 'each record arrived')
    const perSecond = count / deliveredSeconds
    const barePerSecond = recordsPerDevice / bareSeconds
    const ratio = perSecond / barePerSecond
    console.log(`${devices} devices: kept ${Math.round(count / keptSeconds)} /s, delivered ` +
      `${Math.round(perSecond)} /s, bare flushed appends ${Math.round(barePerSecond)} /s, ` +
      `ratio ${ratio.toFixed(2)}`)
    const { flushes } = spool.status()
    return { keptPerSecond: count / keptSeconds, perSecond, barePerSecond, ratio, flushes }
  } finally {
    await uplink.stop()
    await spool.close()
    http.close()
    await ledger.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

/** A device waits for the one before to be on disk. */
async function collect (spool: Spool, terminal: string): Promise<void> {
  for (let recordNo = 1; recordNo <= recordsPerDevice; recordNo++) {
    await spool.collect(recordOf(terminal, recordNo), terminal)
  }
}

const recordOf = (terminal: string, recordNo: number): TransactionRecord => ({
  card: { issuer: '02313750FFFFFFFF', serial: '03104990600000000001', issue: 1 }, purse: 'ep', type: '06',
  counter: recordNo, balanceBeforeFen: 10_000, amountFen: 180, psam: '990000000001', sequence: recordNo,
  dateTime: '20260302081530', tac: '11223344', grey: false, keyVersion: 1, algorithm: 0, operator: 'BUS',
  terminal, recordNo
})

async function bareAppends (dir: string, count: number): Promise<number> {
  const file = await open(join(dir, 'bare'), 'a')
  const bytes = Buffer.from(JSON.stringify(recordOf('D0', 1)) + ' '.repeat(60))
  const startMs = performance.now()
  for (let append = 0; append < count; append++) {
    await file.write(bytes)
    await file.datasync()
  }
  const seconds = (performance.now() - startMs) / 1_000
  await file.close()
  return seconds
}
