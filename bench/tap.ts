// A purchase through the gateway's lane beside the bare exchange of the same commands, in turn, over one
// pcscd: a lane that is alone and has its readers in its own process, and one whose readers are in a process
// apart, as where there are more. All are timed from the card-present event; pcscd's own polling before it
// belongs to none. Then one command over either way, again and again: what the hop costs. Ends with the money
// on the chips compared.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Channel } from '../gateway/pcsc/exchange.ts'
import { chargeBook } from '../gateway/charges.ts'
import { openLane } from '../gateway/pcsc/lane.ts'
import { openPcsc, type Pcsc } from '../gateway/pcsc/port.ts'
import { openReaderChild } from '../gateway/pcsc/reader-child.ts'
import { directoryLayer } from '../gateway/spool/files.ts'
import { openSpool, type Spool } from '../gateway/spool/spool.ts'
import { tapLog } from '../gateway/taps.ts'
import type { Parameters } from '../gateway/uplink/parameters.ts'
import { systemClock } from '../runtime/clock.ts'
import { bcdDateTime } from '../runtime/instants.ts'
import { createLog } from '../runtime/log.ts'
import {
  debit, getBalance, initCapp, parseDebit, parseInitPurchase, parsePsamMac1, psamCheckMac2, psamInitMac1,
  readBinary, readRecord, selectByFid, selectByName, updateCappCache
} from '../schemas/epurse/apdu.ts'
import { hex, unhex } from '../schemas/epurse/hex.ts'
import { profiles } from '../schemas/epurse/profiles.ts'
import type { TapView } from '../schemas/gateway.ts'
import type { Tariff } from '../schemas/tariff/tariff.ts'
import { startFarm, type Farm } from '../terminal-sim/reader/farm.ts'
import { openFlush } from './support/flush.ts'
import { percentiles, type Percentiles } from './support/percentiles.ts'

const fareFen = 180
const names = { gateway: 'Gateway', apart: 'Apart', bare: 'Bare' } as const
type Side = keyof typeof names
const sides = Object.keys(names) as Side[]
export const issuer = '02313750FFFFFFFF'
export const terminal = {
  gateway: '990000000001', bare: '990000000002', apart: '990000000003'
} as const
export const serial = {
  gateway: '03104990600000000001', bare: '03104990600000000002', apart: '03104990600000000003'
} as const
export const startFen = 1_000_000
/** Not counted: the first taps of a process run code that is not compiled yet (9.9 ms, later 6.6). */
const warmRounds = 20

/**
 * Answer times as in a published device log of a bus terminal (2019): about 0.2 s from INIT to the debit's
 * answer.
 */
export const deviceLogMs = { 8050: 25, 8070: 120, '80DC': 15, 8054: 40 } as const

export async function bench (
  { args }: { readonly args: readonly string[] }
): Promise<Record<string, unknown>> {
  const rounds = Number(args[0] ?? 60)
  const dir = mkdtempSync(join(tmpdir(), 'tap-'))
  const pairs = Object.values(names).map(name => ({ name }))
  const farm = await startFarm({ dir: join(dir, 'farm'), pairs })
  process.env['PCSCLITE_CSOCK_NAME'] = farm.socket
  const options = {
    log: createLog('bench', { level: 'silent' }), random: () => 0.5, nowMs: () => performance.now()
  }
  const pcsc = await openPcsc(options)
  const child = await openReaderChild({ ...options, socket: farm.socket })
  const spool = await openSpool({ files: directoryLayer(join(dir, 'spool')), clock: systemClock, limits: {} })
  try {
    await fill(farm)
    const taps = {
      gateway: await openGatewayLane(pcsc, 'gateway', spool),
      apart: await openGatewayLane(child, 'apart', spool),
      bare: await openBareLane(pcsc)
    }
    const flush = await openFlush(dir)
    await measure(farm, warmRounds, taps, flush)
    const quick = await measure(farm, rounds, taps, flush)
    const hop = await measureHop(farm, pcsc, child)
    await slowDown(farm)
    const slow = await measure(farm, Math.ceil(rounds / 2), taps, flush)
    await compareChips(farm, warmRounds + rounds + Math.ceil(rounds / 2))
    const flushMs = percentiles([...quick.flush, ...slow.flush])
    return report({ rounds, flushMs, quick, slow, hop })
  } finally {
    child.close()
    pcsc.close()
    await farm.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

/* ---- the two lanes ---- */

async function fill (farm: Farm): Promise<void> {
  for (const side of sides) {
    await farm.createPsam({ chip: `psam-${side}`, psam: { profile: 't-union', terminal: terminal[side] } })
    await farm.createCard({
      chip: side,
      card: {
        profile: 't-union', issuer, serial: serial[side], balanceFen: startFen, startDate: '20200101',
        expiryDate: '20991231'
      }
    })
    await farm.insert({ chip: `psam-${side}`, reader: `${names[side]} 00 01` })
  }
}

/**
 * A fixed tariff and an empty blacklist in place of what the uplink fetches: no network takes part in a tap.
 */
const fixedParameters: Parameters = {
  tariff: (): Tariff => ({
    version: 1, from: '2020-01-01T00:00:00+08:00', operators: {
      BUS: {
        kind: 'flat', fareFen: 200, cardFareFen: fareFen
      }
    }
  }),
  isBlacklisted: () => false,
  codeKeys: () => new Map(),
  fares: () => [],
  isListedCity: () => null,
  blacklist: () => null, blacklistVersion: () => 1,
  refresh: async () => undefined,
  status: () => ({ blacklist: null, tariff: null, future: [] }) as unknown as ReturnType<Parameters['status']>
}

type NextTap = () => Promise<{ totalMs: number }>

async function openGatewayLane (pcsc: Pcsc, side: Side, spool: Spool): Promise<NextTap> {
  let tell: (tap: TapView) => void = () => undefined
  const lane = openLane({
    config: {
      lane: side, readers: { card: `${names[side]} 00 00`, psam: `${names[side]} 00 01` }, operator: 'BUS',
      terminal: side, mode: 'fare'
    },
    rules: { duplicateTapSeconds: 0 }, pcsc, spool, parameters: fixedParameters, clock: systemClock,
    nowMs: () => performance.now(), random: () => 0.5, log: createLog(
      'bench', { level: 'silent' }
    ), taps: tapLog(),
    charges: chargeBook(() => 'bench-charge'), onTap: tap => tell(tap)
  })
  await lane.settled
  return async () => await new Promise((resolve, reject) => {
    tell = tap => {
      if (tap.outcome === 'approved') resolve({ totalMs: tap.ms.total })
      else reject(new Error(`the lane said ${tap.reason}`))
    }
  })
}

/** `pair`: the name of its two readers. */
export async function openBareLane (pcsc: Pcsc, pair = 'Bare'): Promise<NextTap> {
  const psam = await (await present(pcsc, `${pair} 00 01`)).connect(3_000)
  await data(psam, selectByFid(0x8011))
  return async () => {
    const reader = await present(pcsc, `${pair} 00 00`)
    const startMs = performance.now()
    const card = await reader.connect(3_000)
    await purchase(card, psam)
    const totalMs = performance.now() - startMs
    await card.close('leave')
    return { totalMs }
  }
}

async function present (pcsc: Pcsc, name: string): Promise<ReturnType<Pcsc['reader']>> {
  const reader = pcsc.reader(name)
  let end: () => void = () => undefined
  await new Promise<void>(resolve => {
    // Tells at once of a chip that lies there already.
    end = reader.listen(event => { if (event !== 'chip_out') resolve() })
  })
  end()
  return reader
}

/** The commands of a composite purchase one after the other: no checks, no disk. */
async function purchase (card: Channel, psam: Channel): Promise<void> {
  const moment = bcdDateTime(systemClock.now())
  const [date4, time3] = [moment.slice(0, 4), moment.slice(4)]
  await data(card, selectByName(profiles['t-union'].aid))
  await data(card, readBinary(0x15, 0, 0))
  await data(card, readBinary(0x17, 0, 0))
  const trip = await data(card, readRecord(0x1E, 1, 0))
  await data(card, getBalance(2, 3))
  const init = parseInitPurchase(await data(card,
    initCapp({ purse: 2, keyIndex: 1, amountFen: fareFen, terminal6: unhex(terminal.bare) })))
  assert(init.ok)
  const factors = [unhex(serial.bare).subarray(2), unhex(issuer)]
  const signed = parsePsamMac1(await data(
    psam, psamInitMac1({ ...init, amountFen: fareFen, type: 9, date4, time3, factors })
  ))
  assert(signed.ok)
  await data(card, updateCappCache(0x1E, 0, trip))
  const paid = parseDebit(await data(card, debit({ ...signed, date4, time3 })))
  assert(paid.ok)
  await data(psam, psamCheckMac2(paid.mac2))
}

async function data (channel: Channel, command: Uint8Array): Promise<Uint8Array> {
  let answer = await channel.transmit(command)
  if (answer.kind === 'answer' && answer.sw >> 8 === 0x61) {
    answer = await channel.transmit(Uint8Array.of(0, 0xC0, 0, 0, answer.sw & 0xff))
  }
  assert(answer.kind === 'answer' && answer.sw === 0x9000, `${hex(command)} -> ${JSON.stringify(answer)}`)
  return answer.data
}

/* ---- measuring ---- */

type Measured = Readonly<Record<Side | 'flush', number[]>>

/** In turn, so that whatever slows the machine slows all. */
async function measure (
  farm: Farm, rounds: number, taps: Readonly<Record<Side, NextTap>>, flush: () => Promise<number>
): Promise<Measured> {
  const measured: Measured = { gateway: [], apart: [], bare: [], flush: [] }
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) {
      const tapped = taps[side]()
      await farm.insert({ chip: side, reader: `${names[side]} 00 00` })
      measured[side].push((await tapped).totalMs)
      await farm.remove({ reader: `${names[side]} 00 00` })
      await delay(450) // pcscd polls a reader every 0.4 s
    }
    measured.flush.push(await flush())
  }
  return measured
}

type Hop = { readonly over: number[], readonly direct: number[] }

/** One short command over the process of the readers and without it, in turn, from one chip. */
async function measureHop (farm: Farm, direct: Pcsc, child: Pcsc): Promise<Hop> {
  const times: Hop = { over: [], direct: [] }
  const read = readBinary(0x15, 0, 0)
  await farm.insert({ chip: 'bare', reader: 'Bare 00 00' })
  for (let round = 0; round < hopRounds; round++) {
    for (const [way, pcsc] of [['over', child], ['direct', direct]] as const) {
      const card = await (await present(pcsc, 'Bare 00 00')).connect(3_000)
      await data(card, selectByName(profiles['t-union'].aid))
      for (let turn = 0; turn < hopTurns; turn++) {
        const startMs = performance.now()
        await data(card, read)
        times[way].push(performance.now() - startMs)
      }
      await card.close('leave')
    }
  }
  await farm.remove({ reader: 'Bare 00 00' })
  await delay(450)
  return times
}
const [hopRounds, hopTurns] = [10, 40]

async function slowDown (farm: Farm): Promise<void> {
  for (const chip of sides.flatMap(side => [side, `psam-${side}`])) {
    await farm.setDelays({ chip, delays: deviceLogMs })
  }
}

async function compareChips (farm: Farm, taps: number): Promise<void> {
  for (const chip of sides) {
    const { purse: { balanceFen } } = await farm.inspectCard({ chip })
    assert.equal(
      balanceFen, startFen - taps * fareFen, `${chip}: the chip lost another amount than was charged`
    )
  }
}

function report ({ rounds, flushMs, quick, slow, hop }: {
  rounds: number, flushMs: Percentiles, quick: Measured, slow: Measured
  hop: Hop
}): Record<string, unknown> {
  const [gatewayMs, apartMs, bareMs] = [quick.gateway, quick.apart, quick.bare].map(percentiles) as Three
  const [slowMs, slowApartMs, slowBareMs] = [slow.gateway, slow.apart, slow.bare].map(percentiles) as Three
  const [overMs, directMs] = [percentiles(hop.over), percentiles(hop.direct)]
  const added = (throughMs: Percentiles) => {
    const addedMs = throughMs.p50 - bareMs.p50
    return { addedMs, addedBeyondTwoFlushesMs: addedMs - 2 * flushMs.p50 }
  }
  const figures = {
    rounds, flushMs, gatewayMs, bareMs, ...added(gatewayMs), apart: { gatewayMs: apartMs, ...added(apartMs) },
    hop: { overMs, directMs, addedMs: overMs.p50 - directMs.p50 },
    deviceLog: { gatewayMs: slowMs, apartMs: slowApartMs, bareMs: slowBareMs },
    ratios: {
      'gateway/bare': gatewayMs.p50 / bareMs.p50,
      'deviceLog gateway/bare': slowMs.p50 / slowBareMs.p50,
      'apart/bare': apartMs.p50 / bareMs.p50,
      'deviceLog apart/bare': slowApartMs.p50 / slowBareMs.p50
    }
  }
  const line = (name: string, { p50, p90, p99 }: Percentiles) =>
    console.log(`${name.padEnd(40)} p50 ${p50.toFixed(2)}   p90 ${p90.toFixed(2)}   p99 ${p99.toFixed(2)} ms`)
  line('disk flush of one record', flushMs)
  line('one command, readers apart', overMs)
  line('one command, readers here', directMs)
  line('bare exchange', bareMs)
  line('purchase, one lane alone', gatewayMs)
  line('purchase, readers apart', apartMs)
  line('bare exchange, device-log timing', slowBareMs)
  line('purchase alone, device-log timing', slowMs)
  line('purchase apart, device-log timing', slowApartMs)
  for (const [who, throughMs, ratio, slowRatio] of [
    ['alone', gatewayMs, figures.ratios['gateway/bare'], figures.ratios['deviceLog gateway/bare']],
    ['apart', apartMs, figures.ratios['apart/bare'], figures.ratios['deviceLog apart/bare']]
  ] as const) {
    const { addedMs, addedBeyondTwoFlushesMs } = added(throughMs)
    console.log(`${who}: added at p50 ${addedMs.toFixed(2)} ms, beyond two flushes ` +
      `${addedBeyondTwoFlushesMs.toFixed(2)} ms; ratio ${ratio.toFixed(2)}, with device-log timing ` +
      slowRatio.toFixed(3))
  }
  return figures
}
type Three = [Percentiles, Percentiles, Percentiles]
