// `npm run sim -- day`: a day of a seeded city, written, delivered, cleared, settled and audited here; what
// it took of time, memory and disk. Knows processes and files, no business.
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { forgetPeakRss, peakRssBytes } from '../runtime/supervise.ts'
import { runCity } from './city.ts'
import { inPlace, runProgram } from './sim-program.ts'
import { type Stack, startStack } from './stack.ts'
import { count, table, yuan } from './table.ts'
import { testKeys } from './test-keys.ts'

/** What the city tells at its end. */
type DayFigures = {
  readonly taps: number, readonly cards: number, readonly lines: number, readonly fen: number
  readonly seconds: Readonly<Record<string, number>>
  readonly files: { readonly files: number, readonly bytes: number, readonly digest: string } | null
  readonly nets: readonly { readonly party: string, readonly netFen: number }[]
  readonly chipsFen: number, readonly owedFen: number, readonly explainedFen: number
  readonly differing: number
  readonly rssMiB: number
  readonly problems: readonly string[]
}

const help = `day: a day of a seeded city: generated, delivered, cleared, settled and audited

usage: npm run sim -- day [OPTIONS]

PostgreSQL and a ledger of its own; the day comes as clearing files of its operators, or live. While it
runs: lines a second by outcome, how many lie in the spool of each operator, what waits in the ledger, what is
open, and what each operator has earned by now. At the end every chip is compared with the books, verify looks
at every transfer, and minutes, memory and bytes on disk are told. 1 where a fen is unexplained.

Options:
  --taps N           from one to twenty million; 100000
  --seed N           another day of the same city; 1
  --city FILE        its parameters; terminal-sim/city-data/hengyang.yaml, made up
  --file-records N   records of a file at most; 20000
  --live SPEED       records one by one in place of files, so many times faster than the day; 0: at once
  --dir DIR          where everything lies, and stays; a new place that is removed
  --json FILE        writes the figures

Examples:
  npm run sim -- day                                   a hundred thousand taps
  npm run sim -- day --taps 20000 --live 600           by record, a day in two and a half minutes
  npm run sim -- day --taps 1000000 --json day.json    a million`

type Options = {
  readonly taps: number, readonly seed: number, readonly city: string, readonly fileRecords: number
  readonly live: number | null, readonly dir: string | null, readonly json: string | null
}

function readOptions (args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      taps: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' },
      city: { type: 'string', default: join(import.meta.dirname, '../terminal-sim/city-data/hengyang.yaml') },
      'file-records': { type: 'string', default: '20000' }, live: { type: 'string' }, dir: { type: 'string' },
      json: { type: 'string' }, help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return null
  const whole = (name: string, text: string, most: number, least = 1): number => {
    if (/^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text)
    throw new RangeError(`--${name} ${text}: a whole number from ${least} to ${most} is wanted`)
  }
  return {
    taps: whole('taps', values.taps, 20_000_000), seed: whole('seed', values.seed, 999_999_999),
    fileRecords: whole('file-records', values['file-records'], 1_000_000), city: resolve(values.city),
    live: values.live === undefined ? null : whole('live', values.live, 1_000_000, 0),
    dir: values.dir === undefined ? null : resolve(values.dir),
    json: values.json === undefined ? null : resolve(values.json)
  }
}

async function runDay (dir: string, { json, dir: _, ...asked }: Options): Promise<number> {
  const startedMs = performance.now()
  const stack = await startStack({ dir, keys: testKeys })
  try {
    const found: DayFigures[] = []
    const memory = ledgerByPart(stack)
    const day = runCity({
      stack: Promise.resolve(stack), program: '../city-data/day-main.ts', options: asked,
      onEvent: event => {
        if ('step' in event) memory.begin(String(event['step']))
        if ('figures' in event) found.push(event['figures'] as DayFigures)
        else console.log(String('step' in event ? `- ${String(event['step'])} …` : event['words']))
      }
    })
    process.once('SIGINT', day.release).once('SIGTERM', day.release)
    await day.ended
    const [figures] = found
    if (figures === undefined) throw new Error('the day ended without a word')
    const whole = {
      ...figures, minutes: (performance.now() - startedMs) / 60_000, disk: await bytesOnDisk(stack),
      memoryMiB: { ...stack.rssMiB(), ledger: memory.mostMiB(), city: figures.rssMiB },
      ledgerMiB: memory.parts()
    }
    if (json !== null) writeFileSync(json, JSON.stringify(whole, null, 2) + '\n')
    console.log(report(whole))
    return figures.problems.length === 0 ? 0 : 1
  } finally {
    await stack.stop()
  }
}

/** The largest resident set of the ledger within each part of the day, MiB. */
function ledgerByPart (stack: Stack) {
  const parts: Record<string, number> = {}
  let part: string | null = null
  const look = (): void => {
    const pid = stack.pid('ledger')
    if (part === null || pid === null) return
    parts[part] = Math.max(parts[part] ?? 0, Math.round(peakRssBytes(pid) / 2 ** 20))
    forgetPeakRss(pid)
  }
  return {
    begin: (next: string): void => {
      look()
      part = next
    },
    parts: () => {
      look()
      return parts
    },
    mostMiB: () => {
      look()
      return Math.max(0, ...Object.values(parts))
    }
  }
}

type Disk = { readonly database: number, readonly log: number }
type Whole = DayFigures & {
  readonly minutes: number, readonly disk: Disk, readonly memoryMiB: Readonly<Record<string, number>>
  readonly ledgerMiB: Readonly<Record<string, number>>
}

async function bytesOnDisk (stack: Stack): Promise<Disk> {
  const client = new pg.Client({ connectionString: stack.postgres().url('citizen_card') })
  await client.connect()
  try {
    const { rows: [row] } = await client.query<{ database: string, log: string }>(`
      select pg_database_size(current_database()) as database,
        pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') as log`)
    return { database: Number(row?.database ?? 0), log: Number(row?.log ?? 0) }
  } finally {
    await client.end()
  }
}

const mebibytes = (bytes: number): string => `${count(Math.round(bytes / 2 ** 20))} MiB`

function report (day: Whole): string {
  const { taps, cards, lines, fen, seconds, minutes, files, disk, memoryMiB, ledgerMiB, nets, problems } = day
  const most = Object.entries(memoryMiB).map(([name, most]) => `${name} ${most} MiB`)
  const rate = lines / Math.max(0.1, seconds['delivered'] ?? 0)
  return [
    '', `${count(taps)} taps of ${count(cards)} cards, ${yuan(fen)} yuan, ${count(lines)} lines ` +
      `${files === null ? 'one by one' : `in ${files.files} files`}: ${minutes.toFixed(1)} minutes`, '',
    ...table([['part', 'seconds', 'ledger, MiB'], ...Object.entries(seconds).map(([name, took]) =>
      [name, took.toFixed(1), ledgerMiB[name] === undefined ? '' : String(ledgerMiB[name])])],
    ['left', 'right', 'right']), '',
    `${count(Math.round(rate))} lines a second delivered, judged and booked`,
    `memory, at most: ${most.join(', ')}`,
    `disk: files ${mebibytes(files?.bytes ?? 0)}, log written ${mebibytes(disk.log)}, database ` +
      `${mebibytes(disk.database)} (${Math.round(disk.database / taps)} bytes a tap, cards and all)`, '',
    ...table([['party', 'net, yuan'], ...nets.map(({ party, netFen }) => [party, yuan(netFen)])],
      ['left', 'right']), '',
    `chips hold ${yuan(day.chipsFen)}, the ledger owes ${yuan(day.owedFen)}`,
    `${count(day.differing)} cards differ, ${yuan(day.explainedFen)} explained`,
    ...problems.length === 0 ? ['every fen is accounted for'] : problems.map(why => `PROBLEM ${why}`)
  ].join('\n')
}

process.exitCode = await runProgram({
  name: 'day', help, readOptions,
  run: options => inPlace(options.dir, 'cc-day-', data => runDay(data, options))
}, process.argv.slice(2))
