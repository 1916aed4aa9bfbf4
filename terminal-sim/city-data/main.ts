// `sim city`: a day of a seeded city as clearing files, as tapes, or live. Exit codes: 0 done, 1 the ledger
// does not take it, 2 the command line or the parameters are wrong.
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { HttpAnswerError, HttpFaultError } from '../../runtime/http-client.ts'
import { showYuan } from '../scenario/values.ts'
import { ScenarioError } from '../scenario/yaml-text.ts'
import { type Command, type Given, helpOf, readGiven, UsageError } from '../sim/command-line.ts'
import { buildCity, type City } from './city.ts'
import { deliverLive } from './live.ts'
import { filesOutput, type Output, tapesOutput, type Written } from './outputs.ts'
import { ParametersError, readParameters } from './parameters.ts'
import { recordMaker } from './records.ts'
import { openSpools } from './spools.ts'

const say = (line: string): void => { console.log(line) }
const usualCity = join(import.meta.dirname, 'hengyang.yaml')

async function run (given: Given): Promise<number> {
  const file = given.maybe('city') ?? usualCity
  const startedMs = performance.now()
  const city = buildCity(
    readParameters(file, readFileSync(file, 'utf8')), given.whole('taps', 1, 20_000_000),
    given.whole('seed', 0, 2 ** 32 - 1))
  const live = given.maybe('live')
  const written = live === null ? write(city, given) : null
  if (live !== null) {
    const { records, outcomes, seconds } = await deliverLive(city, recordMaker(city), {
      ledgerUrl: live, token: given.text('token'), registrar: given.maybe('registrar'),
      speed: given.whole('speed', 0, 1_000_000), spools: openSpools(), say
    })
    say(`${records} records delivered in ${seconds} s: ${JSON.stringify(outcomes)}`)
  }
  const seconds = (performance.now() - startedMs) / 1_000
  say(report(city, written, seconds))
  const json = given.maybe('json')
  const figures = { totals: city.totals, cards: city.cards, written, seconds, rssMiB: rssMiB() }
  if (json !== null) writeFileSync(json, JSON.stringify(figures, null, 2) + '\n')
  return 0
}

function write (city: City, given: Given): Written | null {
  const [files, tapes] = [given.maybe('files'), given.maybe('tapes')]
  const fileRecords = given.whole('file-records', 1, 1_000_000)
  const outputs: Output[] = [
    ...files === null ? [] : [filesOutput(city, resolve(files), fileRecords)],
    ...tapes === null ? [] : [tapesOutput(city, resolve(tapes))]
  ]
  const recordOf = recordMaker(city)
  for (const tap of city.taps()) {
    if (outputs.length === 0) continue
    const record = recordOf(tap)
    for (const output of outputs) output.take(tap, record)
  }
  const all = outputs.map(output => output.finish())
  if (all.length < 2) return all[0] ?? null
  return {
    files: all.reduce((sum, one) => sum + one.files, 0), bytes: all.reduce((sum, one) => sum + one.bytes, 0),
    digest: all.map(({ digest }) => digest).join(' ')
  }
}

const rssMiB = (): number => Math.round(process.resourceUsage().maxRSS / 1_024)

function report (
  { totals, cards, parameters, services }: City, written: Written | null, seconds: number
): string {
  const most = Math.max(...totals.byHour, 1)
  const bar = (taps: number): string => '█'.repeat(Math.round(40 * taps / most))
  return [
    `${parameters.city}, ${parameters.day}`,
    `${totals.taps} taps of ${cards} cards, ${showYuan(totals.amountFen)} yuan`,
    ...totals.byHour.map((taps, hour) =>
      `  ${String(hour).padStart(2, '0')}  ${String(taps).padStart(8)}  ${bar(taps)}`.trimEnd()),
    ...totals.parties.map(({ party, lines, accepted, acceptedFen, wrongTac, toldTwice }, at) =>
      `  ${party.padEnd(6)} ${services[at]?.terminals ?? 0} terminals, ${lines} lines: ${accepted} ` +
      `accepted in the end, ${showYuan(acceptedFen)} yuan; ${wrongTac} wrong TACs, ${toldTwice} told twice`),
    `  ${totals.held} torn taps stay unproven`,
    ...written === null ? [] : [`${written.files} files, ${written.bytes} bytes, SHA-256 ${written.digest}`],
    `${seconds.toFixed(1)} s, ${rssMiB()} MiB at most`
  ].join('\n')
}

const city: Command = {
  name: 'city',
  says: 'a day of a seeded city: residents, cards, lines, shops, a hospital, a library, and daily curves',
  about: [
    'The same parameters, number of taps and seed give the same bytes. Without --files, --tapes or --live it',
    'only says what the day would be. A ledger takes registry.json, cards-*.json and tariff.json before the',
    'files; expected.json says what it must make of them.'
  ],
  options: {
    taps: { value: 'N', says: 'from one to twenty million', or: '1000' },
    seed: { value: 'N', says: 'another day of the same city', or: '1' },
    city: {
      value: 'FILE', says: 'its parameters; terminal-sim/city-data/hengyang.yaml, made up, when absent'
    },
    files: { value: 'DIR', says: 'writes clearing files there, with the registry that they need' },
    'file-records': { value: 'N', says: 'records of a file at most', or: '100000' },
    tapes: { value: 'DIR', says: 'writes a tape of POS lines for each operator, for `sim replay`' },
    live: { value: 'URL', says: 'delivers to a ledger that is this city’s alone, as validators would' },
    token: { value: 'TOKEN', says: 'of the machine that delivers' },
    registrar: { value: 'TOKEN', says: 'of the machine that fills the registry first; absent: it is filled' },
    speed: { value: 'N', says: 'so many times faster than the day; 0: as fast as it goes', or: '60' },
    json: { value: 'FILE', says: 'writes the figures' }
  },
  examples: [
    ['city --taps 1000', 'what the day would be'],
    ['city --taps 1000000 --files /tmp/day', 'a million taps as clearing files'],
    ['city --taps 2000 --live http://127.0.0.1:8080 --token DEPOT.… --speed 600', 'a day in three minutes']
  ],
  run
}

/** The ledger says no, or nothing. */
const isAnswer = (error: unknown): boolean =>
  error instanceof HttpAnswerError || error instanceof HttpFaultError

const args = process.argv.slice(2)
try {
  if (args.includes('--help') || args.includes('-h')) console.log(helpOf(city))
  else process.exitCode = await city.run(readGiven(city, args))
} catch (error) {
  const known = [UsageError, RangeError, ParametersError, ScenarioError].some(kind => error instanceof kind)
  if (!known && !isAnswer(error) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  console.error((error as Error).message)
  process.exitCode = isAnswer(error) ? 1 : 2
}
