// A city as data: the same seed gives the same bytes, the day has the shape of its curves, and what its files
// say fits what is expected of them.

import t from 'tap'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConsumptionFile, readConsumptionRecord } from '../schemas/clearing-file/consumption.ts'
import { shared } from '../terminal-sim/city-data/shares.ts'
import { readTape } from '../terminal-sim/sim/tape.ts'

const root = join(import.meta.dirname, '..')
const dir = mkdtempSync(join(tmpdir(), 'city-data-'))
t.teardown(() => rmSync(dir, { recursive: true }))

function city (...args: readonly string[]): { code: number | null, words: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath,
    ['runtime/start.mjs', 'terminal-sim/city-data/main.ts', ...args], { cwd: root, encoding: 'utf8' })
  return { code: status, words: stdout + stderr }
}

/** Of names and contents. */
const digestOf = (place: string): string => {
  const hash = createHash('sha256')
  for (const name of readdirSync(place).sort()) hash.update(name).update(readFileSync(join(place, name)))
  return hash.digest('hex')
}

t.test('shares are whole and add up', async t => {
  t.same(shared(10, [1, 1, 1]), [4, 3, 3], 'ties go to the earlier part')
  t.same(shared(7, [0, 3, 4]), [0, 3, 4])
  t.same(shared(1, [1, 2]), [0, 1])
})

t.test('the same seed, the same bytes; another seed, others', async t => {
  for (const [place, seed] of [['one', '1'], ['again', '1'], ['other', '2']] as const) {
    const { code, words } = city('--taps', '300', '--seed', seed, '--files', join(dir, place), '--tapes',
      join(dir, `${place}-tapes`))
    t.equal(code, 0, words)
  }
  t.equal(digestOf(join(dir, 'again')), digestOf(join(dir, 'one')))
  t.equal(digestOf(join(dir, 'again-tapes')), digestOf(join(dir, 'one-tapes')))
  t.not(digestOf(join(dir, 'other')), digestOf(join(dir, 'one')))
})

t.test('what its files say is what it expects', async t => {
  const place = join(dir, 'whole')
  t.equal(city('--taps', '20000', '--files', place, '--file-records', '5000').code, 0)
  const expected = JSON.parse(readFileSync(join(place, 'expected.json'), 'utf8')) as {
    taps: number, amountFen: number, byHour: number[]
    parties: { party: string, lines: number, accepted: number, toldTwice: number, wrongTac: number }[]
  }
  const records = readdirSync(place).filter(name => name.startsWith('XF')).flatMap(name => {
    const file = readConsumptionFile(name, readFileSync(join(place, name)))
    if (!file.ok) throw new Error(`${name}: ${file.detail}`)
    t.ok(file.lines.length <= 5_001, name)
    return file.lines.map((line, at) => {
      const read = readConsumptionRecord(line, at + 1, file.header.merchant)
      if (!read.ok) throw new Error(`${name}:${at + 1}: ${read.detail}`)
      return read.record
    })
  })
  const distinct = new Map(records.map(one => [`${one.psam} ${one.sequence}`, one]))
  t.equal(expected.taps, 20_000)
  t.equal(distinct.size, 20_000, 'each terminal and sequence once')
  t.equal(records.length, expected.parties.reduce((sum, { lines }) => sum + lines, 0))
  t.equal([...distinct.values()].reduce((sum, one) => sum + Number(one.amountFen), 0), expected.amountFen)
  const byHour = new Array<number>(24).fill(0)
  for (const { dateTime } of distinct.values()) byHour[Number(dateTime.slice(8, 10))]! += 1
  t.same(byHour, expected.byHour)
  t.ok((byHour[7] ?? 0) > 3 * (byHour[13] ?? 0) / 2, 'seven in the morning is busier than one')
  t.equal(records.filter(({ grey }) => grey === '01').length > 0, true, 'some cards were torn off')

  const chips = new Map<string, { counter: number, leftFen: number }>()
  const inOrder = [...distinct.values()].sort((a, b) =>
    a.cardNo < b.cardNo ? -1 : a.cardNo > b.cardNo ? 1 : Number(a.counter) - Number(b.counter))
  for (const { cardNo, counter, balanceBeforeFen, amountFen } of inOrder) {
    const before = chips.get(cardNo)
    const [now, fen] = [Number(counter), Number(balanceBeforeFen)]
    if (before !== undefined && (now !== before.counter + 1 || fen !== before.leftFen)) {
      t.fail(`card ${cardNo} at ${now}: begins with ${fen}, was left with ${before.leftFen}`)
    }
    chips.set(cardNo, { counter: now, leftFen: fen - Number(amountFen) })
  }
})

t.test('its tapes are tapes', async t => {
  const place = join(dir, 'one-tapes')
  const tapes = readdirSync(place).map(name => readTape(readFileSync(join(place, name), 'utf8'), name))
  t.ok(tapes.every(({ protocol }) => protocol === 'pos-line'))
  t.equal(tapes.reduce((sum, { lines }) => sum + lines.filter(({ way }) => way === 'in').length, 0), 600,
    'a record and an ACK for each of 300 taps, of which none was told twice')
})

t.test('what is wrong is told', async t => {
  t.match(city('--taps', '0'), { code: 2, words: /--taps 0: a whole number from 1/ })
  t.match(city('--tap', '5'), { code: 2, words: /there is no --tap; there are --taps/ })
  t.match(city('--files', join(dir, 'one')), { code: 2, words: /holds files already/ })
  t.match(city('--city', join(dir, 'nowhere')), { code: 2, words: /ENOENT/ })
  const wrong = readFileSync(join(root, 'terminal-sim/city-data/hengyang.yaml'), 'utf8')
    .replace('curve: surgery', 'curve: nights').replace('taps_per_card: 2.8', 'taps_per_card: 0.2')
  writeFileSync(join(dir, 'wrong.yaml'), wrong)
  const told = city('--city', join(dir, 'wrong.yaml'))
  t.match(told, { code: 2, words: /HOS: there is no curve nights/ })
  t.match(told.words, /taps_per_card 0\.2: 1 to 1000/)
})

t.test('a day against a ledger of its own', async t => {
  const json = join(dir, 'day.json')
  const { status, stdout, stderr } = spawnSync(process.execPath,
    ['runtime/start.mjs', 'bin/sim.ts', 'day', '--taps', '1500', '--file-records', '400', '--json', json],
    { cwd: root, encoding: 'utf8' })
  t.equal(status, 0, stdout + stderr)
  t.match(stdout, /every fen is accounted for/)
  const told = stdout.split('\n').filter(line => line.includes(' lines of 1500 taps'))
  const depths = [...(/in spools ([^·]*)/.exec(told[0] ?? '')?.[1] ?? '').matchAll(/[A-Z]+ (\d+)/g)]
  t.strictSame(depths.map(([, lines]) => Number(lines)).sort(), linesByMerchant(1_500), 'all that was tapped')
  t.match(told.at(-1), /spools empty/, 'and nothing once all is delivered')
  const day = JSON.parse(readFileSync(json, 'utf8')) as {
    taps: number, fen: number, chipsFen: number, owedFen: number, explainedFen: number, problems: string[]
    nets: { netFen: number }[], disk: { database: number }, seconds: Record<string, number>
  }
  t.equal(day.taps, 1_500)
  t.equal(day.nets.reduce((sum, { netFen }) => sum + netFen, 0), 0, 'what some pay others receive')
  t.equal(day.owedFen - day.chipsFen, day.explainedFen, 'books and chips differ by what is explained')
  t.strictSame(Object.keys(day.seconds),
    ['generated', 'registered', 'delivered', 'cleared and settled', 'audited', 'verified'])
  t.ok(day.disk.database > 0)
})

/** Of the files of that day, counted, and sorted as texts. */
function linesByMerchant (taps: number): number[] {
  const place = join(dir, 'counted')
  t.equal(city('--taps', String(taps), '--files', place).code, 0)
  const lines = new Map<string, number>()
  for (const name of readdirSync(place).filter(name => name.startsWith('XF'))) {
    const merchant = name.slice(10, -5)
    const own = readFileSync(join(place, name), 'latin1').trimEnd().split('\n').length - 1
    lines.set(merchant, (lines.get(merchant) ?? 0) + own)
  }
  return [...lines.values()].sort()
}

t.test('a day by record, as fast as it goes', async t => {
  const { status, stdout, stderr } = spawnSync(process.execPath,
    ['runtime/start.mjs', 'bin/sim.ts', 'day', '--taps', '600', '--seed', '2', '--live', '0'],
    { cwd: root, encoding: 'utf8' })
  t.equal(status, 0, stdout + stderr)
  t.match(stdout, /600 taps of .* lines one by one.*every fen is accounted for/s)
  t.match(stdout.split('\n').filter(line => line.includes(' lines of 600 taps')).at(-1), /spools empty/)
})
