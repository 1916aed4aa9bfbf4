// Trips that a card remembers: what a lane reads, asks for and writes, and a card that leaves at every
// command of an entry and of an exit and comes back.
import t from 'tap'
import { conversing } from '../gateway/pcsc/exchange.ts'
import { startPsam } from '../gateway/pcsc/psam.ts'
import { runTap, type TapResult } from '../gateway/pcsc/purchase.ts'
import { startSession } from '../gateway/pcsc/session.ts'
import { openSpool } from '../gateway/spool/spool.ts'
import { manualClock } from '../runtime/clock.ts'
import { cityTrip, earnedRecord, ongoingTrip } from '../schemas/epurse/files.ts'
import { unhex } from '../schemas/epurse/hex.ts'
import { decode } from '../schemas/epurse/layout.ts'
import type { CardRules, LaneConfig } from '../schemas/gateway.ts'
import { faresFrom, firstDocument } from '../bench/fares/city.ts'
import { cardChip } from '../terminal-sim/card/card-chip.ts'
import type { CardDescription } from '../terminal-sim/card/description.ts'
import { psamChip } from '../terminal-sim/psam/psam-chip.ts'
import { createRandom } from '../terminal-sim/random.ts'
import { type Tear, putDown } from './support/chips-in-hand.ts'
import { recordingDisk } from './support/recording-disk.ts'

const lane = (name: string, more: Partial<LaneConfig>): LaneConfig => ({
  lane: name, readers: { card: `${name} 00 00`, psam: `${name} 00 01` }, operator: 'BUS', terminal: name,
  mode: 'fare', ...more
})
const lanes = {
  bus: lane('B1', { line: '1', vehicle: 'V1' }),
  other: lane('B2', { line: '2', vehicle: 'V2' }),
  marking: lane('B3', { line: 'S1', vehicle: '湘D12345', stop: 'X0' }),
  entry: lane('M1', { operator: 'MET', stop: 'M0', sense: 'in', industry: '01' }),
  exit: lane('M2', { operator: 'MET', stop: 'M5', sense: 'out', industry: '01' })
} as const
type LaneName = keyof typeof lanes

const tUnion: CardDescription = {
  profile: 't-union', issuer: '02313750FFFFFFFF', serial: '03104990600000000016', balanceFen: 5_000,
  offlineCounter: 100
}

async function city (description: CardDescription = tUnion, rules: CardRules = {}) {
  const random = createRandom('trips')
  const chip = cardChip(description, random.fork('card'))
  const clock = manualClock(Date.parse('2026-02-27T08:00:00.750+08:00'))
  const spool = await openSpool({ files: recordingDisk(), clock })
  const fares = faresFrom(firstDocument)
  const psams = new Map(Object.keys(lanes).map((name, index) =>
    [name, psamChip({ profile: description.profile, terminal: `99000000000${index + 1}` })]))
  async function tap (name: LaneName, more: { tear?: Tear, stop?: string | null } = {}) {
    clock.advance(600_000)
    const placed = lanes[name]
    const { stop: _, ...unplaced } = { stop: '', ...placed }
    const at = more.stop ?? ('stop' in placed ? placed.stop : undefined)
    const psam = psams.get(name)
    if (psam === undefined) throw new Error(`no lane ${name}`)
    const started = await startPsam(conversing(putDown(psam).channel.transmit), psam.atr, undefined)
    if (!started.ok) throw new Error(started.why)
    const session = startSession()
    session.signal('card_in')
    const hand = putDown(chip, more.tear ?? null)
    const result = await runTap(conversing(hand.channel.transmit), {
      greeting: null,
      lane: more.stop === null ? unplaced : { ...unplaced, ...at === undefined ? {} : { stop: at } },
      rules,
      session,
      psam: started.psam,
      spool,
      parameters: {
        tariff: () => null, fares: () => fares, isBlacklisted: () => false, isListedCity: () => null,
        blacklistVersion: () => null
      },
      clock,
      charge: null,
      paidAtMs: () => null,
      sells: true,
      onRecovered: () => undefined
    })
    return { ...result as TapResult, commands: hand.commands }
  }
  const said = async (name: LaneName, stop?: string | null): Promise<string> => {
    const { reason, amountFen } = await tap(name, stop === undefined ? {} : { stop })
    return `${reason} ${amountFen ?? '–'}`
  }
  const record = (file: string, at: number): Uint8Array => unhex(chip.report().capp[file]?.[at] ?? '')
  const trip = () => {
    const read = decode(cityTrip, record('001A', 0))
    if (!read.ok) throw new Error(read.error)
    return read.value
  }
  const balance = () => chip.report().purse.balanceFen
  const rides = () => spool.recordsOf({
    delivery: '', from: 1, to: Number.MAX_SAFE_INTEGER, count: 1_000, redelivery: false
  }).map(one => one.record)
  return { chip, clock, tap, said, record, trip, balance, rides }
}

t.test('an entry and an exit, and what is written', async t => {
  const { tap, trip, record, rides, balance } = await city()
  t.match(await tap('entry'), { reason: 'paid', amountFen: 0, balanceAfterFen: 5_000 })
  t.match(trip(), {
    id: '2701', length: 0x7D, valid: 1, interoperable: 1, lock: 0, state: 1,
    boardingTerminal: '0000990000000004', boardingTime: '20260227081000', markedFen: 900, mark: 'C1',
    tariffVersion: 1, service: 3, party: 0, stop: 1, class: 0, riders: 1, amountFen: 0,
    at: Date.parse('2026-02-27T08:10:00+08:00') / 1_000
  })
  t.match(await tap('exit'), { reason: 'paid', amountFen: 500, balanceAfterFen: 4_500 })
  t.match(trip(), {
    state: 2, boardingTime: '20260227081000', alightingTerminal: '0000990000000005',
    alightingTime: '20260227082000', amountFen: 500
  })
  const [exit, entry] = [record('001E', 0), record('001E', 1)]
  t.same([entry[0], entry[9], exit[0], exit[9]], [0x03, 0x01, 0x04, 0x01], 'entry and exit, of a metro')
  t.match(decode(earnedRecord, record('001A', 1)), {
    value: {
      id: '2702', mark: 'C2', tariffVersion: 1, group: 2, paidFen: 500, used: 0, lines: 1,
      start: Date.parse('2026-02-27T08:10:00+08:00') / 1_000,
      sums: /^010001F4020001F4(00)+$/
    }
  }, 'of the caps of the day and the week 5.00 are used up')
  t.match(rides().map(({ type, dateTime, amountFen, ride }) => [type, dateTime, amountFen, ride]), [
    ['09', '20260227081000', 0, { stop: 'M0', sense: 'in' }],
    ['09', '20260227082000', 500, { stop: 'M5', sense: 'out' }]])
  t.equal(balance(), 4_500)
})

t.test('transfers, sections and missing exits by the card alone', async t => {
  const { said, trip, record } = await city()
  t.equal(await said('bus'), 'paid 180')
  t.equal(await said('other'), 'paid 0', 'free within the hour')
  const before = record('001A', 0)
  t.equal(await said('marking'), 'paid 0')
  t.not(Buffer.compare(before, record('001A', 0)), 0)
  t.equal(await said('marking', 'X2'), 'paid 0', 'so is this ride')
  t.equal(await said('entry'), 'paid 0')
  t.equal(await said('bus'), 'paid 1080', '9.00 for the exit that is missing, and the window is over')
  t.equal(trip().state, 0)
  t.equal(decode(ongoingTrip, record('001A', 0)).ok, true)
  t.equal(record('001E', 0)[0], 0x08, 'a supplement')
  t.equal(await said('exit'), 'paid 900', 'an exit without an entry')
})

t.test('who is let through, and who is not', async t => {
  const senior = await city({ ...tUnion, cardClass: 3 })
  for (let ride = 1; ride <= 5; ride++) t.equal(await senior.said('bus'), 'paid 0', `ride ${ride}`)
  t.equal(await senior.said('bus'), 'concession_used_up –')
  t.equal(await senior.said('entry'), 'paid 0', 'the metro has no such concession')

  const city166 = await city({ ...tUnion, profile: 'cjt166', serial: '00990000000012345678' })
  t.equal(await city166.said('entry'), 'no_tariff –', 'it cannot remember')
  t.equal(await city166.said('bus'), 'paid 180')
  t.equal(await city166.said('other'), 'paid 180', 'the ledger gives it back')

  const lost = await city()
  t.equal(await lost.said('marking'), 'paid 0')
  t.equal(await lost.said('marking', null), 'no_stop –')

  const brief = await city(tUnion, { profiles: { 't-union': { memory: { earned: 0 } } } })
  t.equal(await brief.said('bus'), 'paid 180')
  t.equal(await brief.said('other'), 'paid 180', 'a city that keeps trips alone')
  t.equal(await brief.said('entry'), 'paid 0')
  t.equal(await brief.said('exit'), 'paid 500')
})

/* ---- torn ---- */

t.test('a card that leaves at any command of a trip pays for it once', async t => {
  const whole = await city()
  const counts = {
    entry: (await whole.tap('entry')).commands.length, exit: (await whole.tap('exit')).commands.length
  }
  for (const torn of ['entry', 'exit'] as const) {
    for (let at = 0; at < counts[torn]; at++) {
      for (const commit of ['before', 'after'] as const) {
        const what = `${torn}, command ${at}, ${commit}`
        const { tap, trip, balance } = await city()
        const reasons: string[] = []
        for (const name of ['entry', 'exit'] as const) {
          let { reason } = await tap(name, torn === name ? { tear: { at, commit } } : {})
          for (let again = 0; again < 2 && !reason.startsWith('paid'); again++) ({ reason } = await tap(name))
          reasons.push(reason)
        }
        const isDebit = at === counts[torn] - 1 && commit === 'after'
        const expected = isDebit ? 'paid_before' : 'paid'
        t.equal(reasons[torn === 'entry' ? 0 : 1], expected, what)
        t.equal(balance(), 4_500, what)
        t.equal(trip().state, 2, what)
      }
    }
  }
})
