// The simulator's command line against the faces of a gateway on sockets, with a desk that stands in for the
// ledger: a till, a terminal of ISO 8583, a self-check, a client of another language, a tape again, a bank.

import t from 'tap'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPorts } from '../gateway/ports.ts'
import { openTapes } from '../gateway/tapes.ts'
import type { EdgeHouse } from '../gateway/face.ts'
import { manualClock } from '../runtime/clock.ts'
import { createLog } from '../runtime/log.ts'
import { writePain001 } from '../schemas/bank/pain001.ts'
import { readCamt053 } from '../schemas/bank/camt053.ts'
import type { TransactionRecord } from '../schemas/record.ts'
import type { NewRequest } from '../schemas/request.ts'
import { town } from '../terminal-sim/sim/place.ts'
import { recordingDisk } from './support/recording-disk.ts'

const root = join(import.meta.dirname, '..')
const dir = mkdtempSync(join(tmpdir(), 'simulator-'))
t.teardown(() => rmSync(dir, { recursive: true, force: true }))
t.setTimeout(300_000)

type Ended = { readonly code: number | null, readonly words: string }

function run (command: string, args: readonly string[], typed = ''): Promise<Ended> {
  const child = spawn(command, args, { cwd: root, stdio: ['pipe', 'pipe', 'pipe'] })
  let words = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => { words += text })
  }
  child.stdin.end(typed)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => resolve({ code, words }))
  })
}
const sim = (args: readonly string[], typed = ''): Promise<Ended> =>
  run(process.execPath, ['runtime/start.mjs', 'bin/sim.ts', ...args], typed)

/** Every account holds 100.00 and each sale is answered once: the same key again is a repeat. */
async function stage (terminals: readonly string[] = [town.till]) {
  const kept: TransactionRecord[] = []
  const sales = new Map<string, { readonly amountFen: number, readonly balanceFen: number }>()
  let heldFen = 10_000
  const log = createLog('simulator', { level: 'silent' })
  const clock = manualClock(Date.parse('2026-03-02T10:00:00+08:00'))
  const house = {
    desk: {
      ask: async (request: NewRequest & { amountFen?: number }) => {
        const { key, kind, amountFen = 0 } = request
        const before = sales.get(key)
        if (before === undefined) heldFen -= amountFen
        const { balanceFen } = before ?? { balanceFen: heldFen }
        sales.set(key, { amountFen, balanceFen })
        const reply = {
          key, kind, outcome: 'approved', reason: 'ok', replayed: before !== undefined, amountFen, balanceFen,
          journal: String(sales.size), clearingDate: '2026-03-02'
        }
        return { outcome: 'approved', reply }
      }
    },
    spool: { refusal: () => null, collect: async (record: TransactionRecord) => { kept.push(record) } },
    folder: () => recordingDisk(), randomBytes, fail: () => undefined,
    masterKey: () => ({ suite: '3des', key: town.iso8583.master }),
    parameters: { blacklistVersion: () => 1, tariff: () => null, fares: () => [] },
    clock, log, nowMs: () => performance.now(), random: () => 0.5,
    http: { post: async () => ({}), get: async () => ({}) },
    terminals: {
      find: (terminal: string) => ({ ok: true, terminal: { terminal, operator: 'SHP', keys: null } }),
      heard: () => undefined, raise: () => undefined, clear: () => undefined, certificates: () => [],
      holders: () => []
    }
  } as unknown as EdgeHouse
  const tapes = openTapes({ dir: join(dir, 'tapes'), clock, log })
  const { terminal, merchant, begins } = town.iso8583
  const ports = await openPorts([
    {
      port: 'LINE', tcp: { port: 0 },
      speaks: {
        protocol: 'pos-line', language: 'en',
        terminals: terminals.map(terminal => ({ operator: 'SHP', terminal }))
      }
    },
    {
      port: 'ISO', tcp: { port: 0 },
      speaks: {
        protocol: 'iso8583', terminals: [{ terminal, merchant, operator: 'SHP' }],
        issuers: [{ begins, issuer: '02313750FFFFFFFF' }]
      }
    },
    {
      port: 'SC', tcp: { port: 0 },
      speaks: {
        protocol: 'sip2', library: 'LIB', institution: 'LIB', name: 'Library', logins: [town.selfCheck]
      }
    }
  ], house, tapes)
  const [line = '', iso = '', sc = ''] = ports.states().map(({ address }) => address)
  return { ports, line, iso, sc, kept }
}

t.test('what there is, and what to do where it is not', async t => {
  t.match(await sim([]), { code: 0, words: /readers .*\n.*pos /s })
  for (const name of ['readers', 'pos', 'ils', 'insurance', 'city', 'day', 'stack', 'faults', 'cards']) {
    const words = new RegExp(`^${name}: .*usage: .*Examples:`, 's')
    t.match(await sim([name, '--help']), { code: 0, words }, name)
  }
  t.match(await sim(['poss']), { code: 2, words: /there is no “poss”/ })
  t.match(await sim(['pos', '--tpc', '7001']), { code: 2, words: /there is no --tpc; there are --tcp/ })
  t.match(await sim(['pos', '--tcp', '1']), { code: 2, words: /nobody answers at 127\.0\.0\.1:1 .*sim -- stack/s })
  t.match(await sim(['faults', '--runs', 'x']), { code: 2, words: /--runs x: a whole number/ })
  t.match(await sim(['day', '--taps', '0']), { code: 2, words: /--taps 0: a whole number/ })
  t.match(await sim(['replay']), { code: 2, words: /TAPE is missing/ })
})

t.test('a till, a tape of it, and the tape once more', async t => {
  const { ports, line } = await stage()
  const tape = join(dir, 'sales.jsonl')
  const script = 'sale 1 1.80\nagain\nsale 2 3\nbalance 1\n'
  const sold = await sim(['pos', '--tcp', line, '--tape', tape], script)
  t.equal(sold.code, 0, sold.words)
  t.match(sold.words, /approved ok, key [^,]+, 1\.80 yuan, 98\.20 left/)
  t.equal(sold.words.match(/ 98\.20 left/g)?.length, 2, 'the same key once more: the same answer')
  t.match(sold.words, /→ SALE\|.*card=02313750FFFFFFFF-031049\*+0001-1/, 'what flows is shown, masked')
  t.notMatch(sold.words, /03104990600000000001/)
  t.match(await sim(['pos', '--tcp', line], 'sale 9 1.80\n'), { code: 1, words: /9 is no card: 1, 2 or 3/ })
  t.match(await sim(['pos', '--tcp', line], 'sael 1 1\n'), { code: 1, words: /there is no “sael”; there are sale/ })
  await ports.close()

  const fresh = await stage()
  const json = join(dir, 'compared.json')
  const same = await sim(['replay', tape, '--tcp', fresh.line, '--speed', '100', '--json', json])
  t.equal(same.code, 0, same.words)
  t.match(same.words, /0 differ$/m)
  const changed = await sim(['replay', tape, '--tcp', fresh.line, '--speed', '100', '--quiet'])
  t.equal(changed.code, 1, 'the same sales again are repeats, and that is a difference')
  t.match(changed.words, /replayed: 0 → 1/)
  await fresh.ports.close()

  const masked = join(dir, 'masked.jsonl')
  writeFileSync(masked, '{"at":"2026-03-02T10:00:00.512+08:00","device":"SC","way":"in","said":"93"}\n')
  t.match(await sim(['replay', masked, '--tcp', '1']), { code: 2, words: /masked\.jsonl:1: has no bytes/ })
})

t.test('a tape of a city, to the byte', async t => {
  const place = join(dir, 'city')
  t.equal((await sim(['city', '--taps', '60', '--tapes', place])).code, 0)
  const file = join(place, 'SHP.jsonl')
  const terminals = new Set(readFileSync(file, 'utf8').match(/(?<=terminal=)\w+/g))
  const { ports, line, kept } = await stage([...terminals])
  const said = await sim(['replay', file, '--tcp', line, '--speed', '1000000', '--exact', '--quiet'])
  t.equal(said.code, 0, said.words)
  t.match(said.words, /^(\d+) answers: \1 the same bytes, 0 differ in what passes, 0 differ$/m)
  t.ok(kept.length > 3, `${kept.length} records are kept`)
  t.ok(kept.every(({ terminal }) => terminals.has(terminal)))
  await ports.close()
})

t.test('a client of sixty lines in another language', async t => {
  const { ports, line } = await stage()
  const till = (fen: string) => run('python3', [
    'docs/examples/till.py', '02313750FFFFFFFF-03104990600000000001-1', fen, 'my-first-sale', line
  ])
  t.match(await till('180'), { code: 0, words: /^approved ok key my-first-sale 98\.20 left/ })
  t.match(await till('180'), { code: 0, words: /98\.20 left/ }, 'asked again, it is the same sale')
  t.match(await till('190'), { code: 1, words: /^declined key_conflict/ })
  await ports.close()
})

t.test('ISO 8583 and SIP2', async t => {
  const { ports, iso, sc } = await stage()
  const sold = await sim(['pos', '--speaks', 'iso8583', '--terminal', town.iso8583.terminal, '--tcp', iso],
    'signin\nsale 1 1.80\n')
  t.equal(sold.code, 0, sold.words)
  t.match(sold.words, /approved 00.*approved 00, trace \d{6}, 1\.80 yuan/s)
  const desk = await sim(['self-check', '--tcp', sc], 'status\n')
  t.equal(desk.code, 0, desk.words)
  t.match(desk.words, /94 yes/)
  t.match(desk.words, /98 yes/)
  t.notMatch(desk.words, /books and more/, 'the password is not shown')
  await ports.close()
})

t.test('a bank', async t => {
  const orders = join(dir, 'orders.xml')
  const account = (name: string, number: string) => ({ name, number, bankCode: '104554000001' })
  writeFileSync(orders, writePain001({
    messageId: 'CITYCARD-20260302-1', createdAt: '2026-03-03T09:00:00+08:00', initiator: 'Card Company',
    groups: [{
      id: 'CITYCARD-20260302-1-1', executeOn: '2026-03-03', from: account('Card Company', '6222000011112222'),
      transfers: [
        {
          id: '20260302-commerce-BUS', amountFen: 1_153_520n, text: 'x',
          to: account('Bus', '6222000000000001')
        },
        { id: '20260302-commerce-MET', amountFen: 100n, to: account('Metro', '6222000000000002'), text: 'y' }
      ]
    }]
  }))
  const statement = join(dir, 'statement.xml')
  const { code, words } = await sim(['bank', '--port', '0', '--opening', '20000.00'], [
    'refuse 6222000000000002 AC04', `take ${orders}`, `take ${orders}`,
    'credit 6222000011112222 12.00 who knows',
    `statement 6222000011112222 2026-03-03 ${statement}`, 'orders', ''
  ].join('\n'))
  t.equal(code, 0, words)
  const report = readFileSync(`${orders}.pain002.xml`, 'utf8')
  t.match(report, /<GrpSts>ACCP<\/GrpSts>/)
  t.match(report, /<OrgnlEndToEndId>20260302-commerce-BUS<\/OrgnlEndToEndId><TxSts>ACSP<\/TxSts>/)
  const { statements: [told] } = readCamt053(readFileSync(statement))
  t.match(told, { account: '6222000011112222', openingFen: 2_000_000n, closingFen: 847_680n })
  t.same(told?.lines.map(({ amountFen, returnReason }) => [amountFen, returnReason]), [
    [-1_153_520n, null], [-100n, null], [100n, 'AC04'], [1_200n, null]
  ], 'paid, paid and sent back, and money that nobody asked for')
})

t.test('a centre of medical insurance', async t => {
  const script = [
    'hospital H4304000001 tier3', 'person P1 active 200.00', 'hospital H4304000001 tier2', 'lose 2207 answr'
  ]
  t.match(await sim(['insurance', '--port', '0'], script.slice(0, 1).join('\n')),
    { code: 1, words: /tier3: one of grassroots, tier1, tier2, tier3-city, tier3-province/ })
  t.match(await sim(['insurance', '--port', '0'], script.slice(1).join('\n')),
    { code: 1, words: /the centre is at http.*answr: one of request, answer, late/s })
  t.match(await sim(['insurance', '--port', '0'], 'person P1 active\nsettled\nheard\n'),
    { code: 0, words: /none\nnothing$/m })
})

t.test("a library's own system, and a self-check at it", async t => {
  const child = spawn(process.execPath, ['runtime/start.mjs', 'bin/sim.ts', 'ils', '--port', '0'],
    { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] })
  let words = ''
  let wake: () => void = () => undefined
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    words += text
    wake()
  })
  const until = async (what: RegExp) => {
    while (!what.test(words)) await new Promise<void>(resolve => { wake = resolve })
  }
  await until(/127\.0\.0\.1:\d+/)
  const at = /127\.0\.0\.1:\d+/.exec(words)?.[0] ?? ''
  child.stdin.write('owes 1 3.50\n')
  const desk = await sim(['self-check', '--tcp', at],
    'patron 1\nout 1 B-1\nout 2 B-1\npay 1 2.00 P-1\npay 1 2.00 P-1\npatron 1\nin B-1\n')
  t.equal(desk.code, 0, desk.words)
  t.match(desk.words, /64 yes, owes 3\.50.*12 yes.*12 no.*38 yes.*38 yes.*64 yes, owes 1\.50.*10 yes/s,
    'owed, lent once, paid once, brought back')
  child.stdin.end('pays no\npay\n')
  t.equal(await new Promise(resolve => child.on('close', resolve)), 1, 'a word that it does not know')
})
