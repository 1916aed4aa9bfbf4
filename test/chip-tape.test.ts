// The device log of a real terminal as a tape of chips: a gateway on real readers says the very bytes of it,
// and what is said otherwise is told with its field.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Farm } from '../terminal-sim/reader/farm.ts'
import { whyNoFarm } from '../terminal-sim/reader/namespace.ts'
import { scriptOf } from '../terminal-sim/sim/chip-tape.ts'
import { readTape } from '../terminal-sim/sim/tape.ts'
import { startGateway } from './support/lanes.ts'

const root = join(import.meta.dirname, '..')
const file = 'docs/examples/t-union-2019-01-08.jsonl'
const tape = readTape(readFileSync(join(root, file), 'utf8'), file)

t.test('the exchanges of the log stand on the tape', async t => {
  // The fact sheet of the log, word by word; what it leaves out (files, start of day) is not looked at here.
  const log = {
    card: [
      ['805C030204', '0000471C'],
      ['805003020B 01 00000001 413101210198 0F', '0000471C 0059 000000 01 00 62020EC1'],
      ['805401000F 000001E7 20190108151751 B915CAE7 08', '4FE3D8DD 046BF062']
    ],
    psam: [
      ['8070000024 62020EC1 0059 00000001 09 20190108151751 01 00 4990600000000016 02313750FFFFFFFF 08',
        '000001E7 B915CAE7'],
      ['8072000004 046BF062', '']
    ]
  }
  for (const chip of ['card', 'psam'] as const) {
    const { exchanges } = scriptOf(tape, chip)
    for (const [command = '', answer = ''] of log[chip]) {
      const found = exchanges.find(one => one[0] === command.replaceAll(' ', ''))
      t.equal(found?.[1], `${answer.replaceAll(' ', '')}9000`, command)
    }
  }
})

t.test('a gateway on real readers', { skip: whyNoFarm() ?? false, timeout: 120_000 }, async t => {
  const exact = await tapped(t, 'exact', '2019-01-08T15:17:51+08:00', 1, ['--exact'])
  t.equal(exact.reason, 'paid')
  t.match(exact.words, /^15 commands: 15 the same bytes, 0 differ in what passes, 0 differ$/m)
  t.equal(exact.code, 0, exact.words)

  const later = await tapped(t, 'later', '2019-01-09T08:00:00+08:00', 1, ['--all'])
  t.match(later.words, /^line \d+ date: 20190108 → 20190109 \(passes\)$/m, 'another day')
  t.match(later.words, /^15 commands: 12 the same bytes, 3 differ in what passes, 0 differ$/m)
  t.equal(later.code, 0, later.words)

  const dearer = await tapped(t, 'dearer', '2019-01-08T15:17:51+08:00', 2, [])
  t.match(dearer.words, /^line \d+ amount: 00000001 → 00000002$/m, 'another price')
  t.equal(dearer.code, 1, dearer.words)
})

/** One tap of the card of the tape at a gateway whose clock stands still. */
async function tapped (t: Test, name: string, at: string, fareFen: number, given: readonly string[]) {
  const dir = mkdtempSync(join(tmpdir(), `tape-${name}-`))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  mkdirSync(join(dir, 'readers'))
  const readers = spawn(process.execPath, [
    'runtime/start.mjs', 'bin/sim.ts', 'readers', '--tape', file, '--lanes', 'BUS-1',
    '--dir', join(dir, 'readers'), '--quiet', ...given
  ], { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] })
  const heard = hear(readers)
  await heard.until(/card 3: /)
  const ledger = await ledgerWith(fareFen)
  const farm = { socket: join(dir, 'readers/pcscd.comm') } as Farm
  const gateway = await startGateway({ dir, farm, ledgerUrl: ledger.url }, 'GW1',
    [{ name: 'BUS-1', psam: '413101210198' }], { settable: true, clock: at })
  const told = gateway.tap('BUS-1')
  readers.stdin?.write('tap 1 BUS-1\n')
  const { reason } = await told
  await heard.until(/card 1 is a tape/)
  await gateway.stop()
  readers.stdin?.end()
  const code = await new Promise<number | null>(resolve => readers.on('close', resolve))
  ledger.close()
  return { reason, code, words: heard.words() }
}

function hear (child: ChildProcess) {
  let words = ''
  let wake: () => void = () => undefined
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    words += text
    wake()
  })
  return {
    words: () => words,
    until: async (what: RegExp) => {
      while (!what.test(words)) await new Promise<void>(resolve => { wake = resolve })
    }
  }
}

/** A stand-in that has one price for everybody, and nobody on its blacklist. */
async function ledgerWith (fareFen: number) {
  const operators = { BUS: { kind: 'flat', fareFen: 2, cardFareFen: fareFen } }
  const tariff = { version: 3, from: '2019-01-01T00:00:00+08:00', operators }
  const answers = new Map<string, unknown>([
    ['/v1/tariffs', [tariff]], ['/v1/services/transit/tariffs', []],
    ['/v1/blacklist', { from: null, to: 0, add: [], remove: [], digest: sha256OfNothing }]
  ])
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/\?.*/, '')
    const answer = answers.get(path)
    request.resume()
    if (answer === undefined) response.writeHead(204).end()
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}

const sha256OfNothing = 'E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855'
