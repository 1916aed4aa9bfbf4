// Rides that come by other cables than a card reader's: a polled terminal tells where a card boarded, a POS
// where it alighted, and the ledger prices the journey.
import t from 'tap'
import { setTimeout as delay } from 'node:timers/promises'
import type { PortConfig } from '../schemas/port.ts'
import { cardKey, type TransactionRecord } from '../schemas/record.ts'
import { firstDocument } from '../bench/fares/city.ts'
import { whyNoPty } from '../terminal-sim/line/pty-pair.ts'
import { newTerminal, serveLine, type StoredRecord } from '../terminal-sim/polled/terminal.ts'
import { openPos } from '../terminal-sim/pos/pos.ts'
import { startDoors } from './support/ledger-http.ts'
import { card, D, debit, psams } from './support/small-city.ts'
import { openCity, upload } from './support/terminals.ts'

const stored = (record: TransactionRecord, ride: StoredRecord['ride']): StoredRecord => ({
  ...record.card, recordNo: record.recordNo, purse: 2, type: Number.parseInt(record.type, 16),
  counter: record.counter, balanceBeforeFen: record.balanceBeforeFen, amountFen: record.amountFen,
  psam: record.psam, sequence: record.sequence, dateTime: record.dateTime, tac: record.tac ?? '00000000',
  flags: 0, keyVersion: record.keyVersion, algorithm: record.algorithm, tariffVersion: 0, blacklistVersion: 0,
  ...ride === undefined ? {} : { ride }
})
const stopOf = (name: string): string => Buffer.from(name).toString('hex').padEnd(64, '0')

const { transfers = [], concessions: _, ...city } = firstDocument
const tariff = {
  ...city,
  services: city.services.filter(({ operators }) => operators.includes('BUS')),
  transfers: transfers.filter(({ from, to }) => from === 'bus' && to === 'bus')
}

const noPty = whyNoPty()
if (noPty !== null) {
  t.comment(noPty)
} else {
  const doors = await startDoors()
  t.teardown(() => doors.stop())

  t.test('a journey of which two cables tell', async t => {
    const place = { operator: 'BUS', line: 'S2', vehicle: 'V1' }
    const { door, ...city } = await openCity(t, doors, { service: 'transit' })
    await door.ok('registrar', 'POST', '/v1/services/transit/tariffs', tariff)
    const [bus, desk] = [await city.cable('bus'), await city.cable('desk')]
    const ports: PortConfig[] = [{
      port: 'BUS', serial: { path: bus.near, baudRate: 9_600 },
      speaks: { protocol: 'polled', turnMs: 20, terminals: [{ address: 1, terminal: 'B1', ...place }] }
    }, {
      port: 'DESK', serial: { path: desk.near, baudRate: 9_600 },
      speaks: { protocol: 'pos-line', terminals: [{ terminal: 'B2', ...place, stop: 'X3' }] }
    }]
    const gateway = await city.gateway(ports)
    const terminal = newTerminal(1, psams.B1, '20260302120000')
    // 4.00 at boarding; one leaves at X2, one where the desk stands, and of the third no ride is told.
    const boarding = (number: number) =>
      debit(number, 1, 'B1', { amountFen: 400, dateTime: '20260302080000' })
    const ride = { sense: 0, rider: 1, riders: 1, stop: stopOf('X0') }
    terminal.store.records = [
      stored(boarding(1), ride), stored(boarding(2), ride), stored(boarding(3), undefined)
    ].sort((one, other) => one.recordNo - other.recordNo)
    const line = bus.device()
    const serving = serveLine(line, [terminal])
    const pos = openPos({ line: desk.device() })
    const leaving = (number: number) => upload(`exit-${number}`, debit(number, 2, 'B2', {
      amountFen: 0, balanceBeforeFen: 9_600, dateTime: '20260302082000'
    }))
    const atStop = { ...leaving(1), stop: 'X2', sense: 'either' }
    t.match((await pos.settle('RECORD', atStop)).fields, { reason: 'stored' })
    t.match((await pos.settle('RECORD', leaving(2))).fields, { reason: 'stored' })
    while (terminal.store.records.length > 0) await delay(20)
    await gateway.drained()
    await door.ledger.watch.catchUp()
    const journeys = async (number: number) => {
      const path = `/v1/services/transit/cards/${cardKey(card(number).card)}/journeys?from=${D}&until=${D}`
      const { journeys } = await door.ok('auditor', 'GET', path) as
        { journeys: { counters: number[], kind: string, amountFen: number }[] }
      return journeys.map(({ counters, kind, amountFen }) => `${counters.join('+')} ${kind} ${amountFen}`)
    }
    t.same(await journeys(1), ['101+102 complete 300'], 'two sections')
    t.same(await journeys(2), ['101+102 complete 400'], 'three: where the desk stands')
    t.same(await journeys(3), [], 'of no ride nothing is priced')
    const { items } = await door.ok('auditor', 'GET', `/v1/services/transit/fare-days?day=${D}`)
    t.match(items, [{ refundFen: 100 }], 'what boarding took too much')
    await gateway.stop()
    line.close()
    await serving
  })
}
