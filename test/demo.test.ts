// The made-up city: its plan is a function of the seed and its chains are right; the demo carries it out on
// the real stack, and nothing but the seed moves a fen. And frames in words.

import t, { type Test } from 'tap'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe } from '../bin/describe.ts'
import { isOk, type Figures } from '../bin/demo-report.ts'
import { removeData } from '../bin/postgres-place.ts'
import { table, width, yuan } from '../bin/table.ts'
import { groupBy } from '../runtime/collections.ts'
import { cardKey, type TransactionRecord } from '../schemas/record.ts'
import { planCity } from '../terminal-sim/city/plan.ts'
import { whyNoFarm } from '../terminal-sim/reader/namespace.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

t.setTimeout(600_000)

t.test('a plan is a function of its seed', async t => {
  const options = { seed: 7, cards: 40, records: 1_000 }
  t.same(planCity(options), planCity(options))
  t.notSame(planCity({ ...options, seed: 8 }).taps, planCity(options).taps)
  t.throws(() => planCity({ ...options, cards: 3 }), /4 cards at least, not 3/)
  t.throws(() => planCity({ ...options, records: 100 }), /200 at least, not 100/)
})

t.test('forty cards of three families, torn in every way', async t => {
  const { residents, taps, lanes } = planCity({ seed: 1, cards: 40, records: 200 })
  const families = new Set(residents.map(({ registered }) => registered.profile))
  t.same(families, new Set(['t-union', 'cjt166', 'pboc']))
  t.same(new Set(lanes.map(({ operator }) => operator)), new Set(['BUS', 'RIV', 'HOS', 'LIB']))
  const faults = taps.flatMap(({ fault }) => fault === null ? [] : [`${fault.kind} ${fault.command}`])
  t.same(new Set(faults), new Set(['tear 8054', 'tear 8050', 'cut 8054', 'silence 8054']))
  t.ok(residents.some(({ registered }) => registered.soldBy === 'AGT'), 'some were sold by the load agent')
  const paid = taps.filter(({ expect }) => expect.reason === 'paid')
  const visits = paid.map(({ chip, lane }) => `${chip} ${lane}`)
  t.equal(new Set(visits).size, visits.length, 'nobody pays twice at a lane, where time would decide')
  for (const { chip, description } of residents) {
    const lostFen = sum(taps.filter(tap => tap.chip === chip).map(tap => tap.chipLosesFen))
    t.ok(lostFen <= (description.balanceFen ?? 0), `${chip} has the money`)
  }
})

t.test('the chains of the offline cards are right', async t => {
  const { records } = planCity({ seed: 3, cards: 4, records: 5_000 })
  const lines = [...new Set(records.waves.flat().flatMap(({ lines }) => lines))]
  t.equal(lines.length, 5_000)
  const told = lines.filter(({ expect }) => expect.reason !== 'malformed' && expect.reason !== 'conflict')
    .map(({ record }) => record as TransactionRecord)
  const chains = groupBy(told, record => cardKey(record.card))
  const broken = [...chains].flatMap(([card, chain]) => {
    chain.sort((a, b) => a.counter - b.counter)
    return chain.slice(1).flatMap((record, at) => {
      const before = chain[at] as TransactionRecord
      const paid = record.counter === before.counter + 1 &&
        record.balanceBeforeFen === before.balanceBeforeFen - before.amountFen
      const voided = before.grey && record.counter === before.counter &&
        record.balanceBeforeFen === before.balanceBeforeFen
      const ridesFree = before.amountFen === 0 && record.amountFen === 0
      const missing = record.counter > before.counter + 1 && (ridesFree
        ? record.balanceBeforeFen === before.balanceBeforeFen
        : record.balanceBeforeFen < before.balanceBeforeFen)
      return paid || voided || missing ? [] : [`${card} at counter ${record.counter}`]
    })
  })
  t.same(broken, [])
  const all = lines.map(({ record }) => record as TransactionRecord)
  const sequences = all.map(({ psam, sequence }) => `${psam} ${sequence}`)
  t.equal(new Set(sequences).size, sequences.length, 'no PSAM signs twice under one sequence')
  const dated = told.filter(({ dateTime }) => dateTime > '2001')
  for (const [psam, signed] of groupBy(dated, one => one.psam)) {
    const times = signed.sort((a, b) => a.sequence - b.sequence).map(({ dateTime }) => dateTime)
    t.same(times, [...times].sort(), `${psam} counts forward in time`)
  }
  const lost = records.purses.filter(({ balanceFen, opening, card }) => {
    const debits = lines.filter(({ expect, record }) => expect.reason !== 'conflict' &&
      cardKey((record as TransactionRecord).card) === cardKey(card))
    const counters = new Set(debits.map(({ record }) => (record as TransactionRecord).counter))
    const paidFen = sum([...counters].map(counter => {
      const at = debits.filter(({ record }) => (record as TransactionRecord).counter === counter)
      return (at.find(({ record }) => !(record as TransactionRecord).grey) ?? at[0])?.amountFen ?? 0
    }))
    return opening.balanceFen - balanceFen > paidFen
  })
  t.same(lost, [], 'no purse lost more than its records tell')
})

t.test('tables and amounts', async t => {
  t.equal(yuan(-123_456_7), '-12,345.67')
  t.equal(yuan(5), '0.05')
  t.equal(width('市民卡 A'), 8)
  t.same(table([['名', 'n'], ['公交', '1'], ['b', '22']], ['left', 'right']), [
    '名     n', '────  ──', '公交   1', 'b     22'
  ])
})

t.test('frames in words', async t => {
  const said = (text: string) => {
    const { title, rows } = describe(text)
    return `${title}: ${rows.map(([name, value]) => `${name} ${value}`).join(', ')}`
  }
  // From published terminal logs.
  t.equal(said('02313750FFFFFFFF020103104990600000000016 20170109 20991231 0000'),
    'file 0015: issuer 02313750FFFFFFFF, application type 2, version 1, serial 031049**********0016, ' +
    'start date 2017-01-09, expiry date 2099-12-31, issuer fci 0000')
  t.equal(said('80700000 24 62020EC1 0059 00000001 09 20190108 151751 01 00' +
    '4990600000000016 02313750FFFFFFFF 08'),
  'PSAM: INIT SAM FOR PURCHASE (80 70 00 00): random 62020EC1, counter 89, amount 0.01 yuan, ' +
    'type 09 cappPurchase, at 2019-01-08 15:17:51, key version, algorithm 1, 0, card factor 499060******0016')
  t.equal(said('00A4040008A000000632010105'),
    'SELECT (00 A4 04 00): application A000000632010105, cards t-union')
  t.equal(said('9406'), 'answer: status 9406 the requested MAC and TAC are not available')
  t.match(said('0001 000000 000000B4 06 990000000001 20260302 081530'),
    /^file 0018 record: counter 1, .* amount 1.80 yuan, type 06 epPurchase/)
  t.throws(() => describe('80 5G'), /not hexadecimal: 'G' at offset 4/)
  t.throws(() => describe('{"card":1}'), /not a record: /)
  const { stdout, code } = await run(['bin/describe.ts', '805A', '0009', '02', '002B'])
  t.match(stdout, /GET TRANSACTION PROVE .*\n +type +09 cappPurchase\n +committed counter +43/)
  t.equal(code, 0)
})

const lacking = whyNoFarm()
t.test('the demo: same seed, same money; another seed, other money', { skip: lacking ?? false }, async t => {
  const one = await demo(t, 11)
  const again = await demo(t, 11)
  const other = await demo(t, 12)
  for (const { code, figures, stderr } of [one, again, other]) {
    t.same([...figures.surprises, ...figures.auditorFound.problems], [])
    t.ok(isOk(figures))
    t.equal(code, 0, stderr)
    t.same(Object.keys(wanted).filter(key => !(key in figures)), [], 'all keys are there')
    t.match(figures, wanted)
    const { accepted, held, excluded, refused, distinct } = figures.records
    t.equal(accepted + held + excluded + sum(Object.values(refused)), distinct)
    t.equal(sum(figures.parties.map(({ netFen }) => netFen)), 0)
    t.ok(figures.chipDebitsFen > 0)
  }
  t.same(money(again.figures), money(one.figures))
  t.notSame(money(other.figures), money(one.figures))
  t.match(one.stdout, /雁城公交 +Goose City Bus/)
  t.notMatch(one.stdout, /0310421\d{13}/, 'no card number in full')
  t.match(one.stdout, /Not a fen is left over/)
})

t.test('a demo that stays: whoever it names may sign in, and there is something to decide', {
  skip: lacking ?? false
}, async t => {
  const dir = mkdtempSync(join(tmpdir(), 'cc-demo-'))
  const child = spawn(process.execPath, [
    'runtime/start.mjs', 'bin/demo.ts', '--keep', '--cards', '12', '--records', '200',
    '--dir', join(dir, 'data')
  ], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<number | null>(resolve => child.on('exit', resolve))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
    removeData(join(dir, 'data/postgres'))
    rmSync(dir, { recursive: true, force: true })
  })
  let said = ''
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    said += chunk.toString()
    if (said.includes('Ctrl-C ends it.')) break
  }
  child.stdout.resume()
  const url = / ledger +(http:\S+)/.exec(said)?.[1] ?? ''
  const signIn = async (path: string, words: unknown) => await fetch(url + path, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(words)
  })
  const staff = [...said.matchAll(/^ {4}([a-z0-9-]+) {2}(\S+)$/gm)]
    .map(([, name, password]) => ({ name, password }))
  t.ok(staff.length > 5)
  for (const words of staff) t.equal((await signIn('/v1/session', words)).status, 200, words.name ?? '')
  const [, kind, number, password] = /^ {4}\S+ {2}(passport) (\S+) {2}(.+)$/m.exec(said) ?? []
  const inside = await signIn('/v1/my/session', { document: { kind, number }, password })
  t.equal(inside.status, 200)
  const cookie = inside.headers.get('set-cookie')?.split(';')[0] ?? ''
  const cases = await fetch(`${url}/v1/my/cases`, { headers: { cookie } })
  const { items } = await cases.json() as { items: { kind: string, state: string }[] }
  t.same(items.map(one => `${one.kind} ${one.state}`).sort(), ['complaint filed', 'refund filed'])
  child.kill('SIGINT')
  t.equal(await ended, 0)
})

const wanted = {
  readers: 14, cards: 6, taps: Number, torn: Number, recovered: Number,
  records: {
    delivered: Number, distinct: Number, accepted: Number, held: Number, excluded: Number, refused: Object
  },
  parties: Array, netSumFen: 0, chainHead: /^[0-9A-F]{64}$/, verify: 'ok', auditor: 'ok', chipDebitsFen: Number,
  tapMs: { p50: Number, p99: Number }, recordsPerSecond: Number,
  rssMiB: { postgres: Number, ledger: Number, gateway: Number, farm: Number }
}

const money = ({ records, parties, netSumFen, chipDebitsFen, taps, torn, recovered }: Figures) =>
  ({ records, parties, netSumFen, chipDebitsFen, taps, torn, recovered })

const sum = (amounts: readonly number[]): number => amounts.reduce((all, one) => all + one, 0)

async function demo (t: Test, seed: number) {
  const dir = mkdtempSync(join(tmpdir(), 'cc-demo-'))
  t.teardown(() => {
    removeData(join(dir, 'data/postgres'))
    rmSync(dir, { recursive: true, force: true })
  })
  const json = join(dir, 'out.json')
  const done = await run([
    'bin/demo.ts', '--seed', String(seed), '--cards', '6', '--records', '500', '--json', json,
    '--dir', join(dir, 'data')
  ])
  if (done.code === 0) t.equal(statSync(join(dir, 'data/access.json')).mode & 0o777, 0o600)
  return { ...done, figures: JSON.parse(readFileSync(json, 'utf8')) as Figures }
}

type Ended = { code: number | null, stdout: string, stderr: string }

async function run (args: readonly string[]): Promise<Ended> {
  const command = ['runtime/start.mjs', ...args]
  const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr] = [child.stdout, child.stderr].map(async stream => {
    let text = ''
    for await (const chunk of stream as AsyncIterable<Buffer>) text += chunk.toString()
    return text
  })
  const code = await new Promise<number | null>(resolve => child.on('exit', resolve))
  return { code, stdout: await stdout ?? '', stderr: await stderr ?? '' }
}
