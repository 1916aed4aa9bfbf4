// What a day of the city is written into: clearing files with the registry that they need, or tapes of POS
// lines. Each output takes taps one by one and says at its end what it has written.
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatIso } from '../../runtime/instants.ts'
import { hex } from '../../schemas/epurse/hex.ts'
import { posCardText, posReasons, writePosMessage, type PosField } from '../../schemas/pos-line/messages.ts'
import { maskPosMessage } from '../../schemas/pos-line/mask.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import { buildFrame, control, plainLrc } from '../../schemas/serial/lrc-frame.ts'
import { consumptionFile, consumptionLine, fileName } from '../scenario/clearing-text.ts'
import type { RawTapeLine } from '../sim/traffic.ts'
import type { City, Tap } from './city.ts'

export type Written = {
  readonly files: number, readonly bytes: number
  /** SHA-256 over names and contents, in the order of their writing. */
  readonly digest: string
}
export type Output = {
  take (tap: Tap, record: TransactionRecord): void
  finish (): Written
}

/** A place for files that is empty. Throws RangeError where it is not. */
function emptyPlace (dir: string): string {
  if (existsSync(dir) && readdirSync(dir).length > 0) {
    throw new RangeError(`${dir} holds files already: choose another place, or empty it`)
  }
  mkdirSync(dir, { recursive: true })
  return dir
}

function writer (dir: string) {
  const hash = createHash('sha256')
  let files = 0
  let bytes = 0
  const write = (name: string, content: string | Uint8Array): void => {
    hash.update(`${name}\n`).update(content)
    files++
    bytes += Buffer.byteLength(content)
    writeFileSync(join(dir, name), content)
  }
  return {
    write,
    json: (name: string, value: unknown): void => write(name, JSON.stringify(value, null, 1) + '\n'),
    written: (): Written => ({ files, bytes, digest: hash.digest('hex').toUpperCase() })
  }
}

/* ---- clearing files ---- */

const cardsAtOnce = 10_000

/** Consumption files by operator, the registry and tariff before them, and `expected.json` behind them. */
export function filesOutput (city: City, dir: string, fileRecords: number): Output {
  const out = writer(emptyPlace(dir))
  const date = city.parameters.day.replaceAll('-', '')
  const open = city.services.map(() => ({ lines: [] as string[], totalFen: 0, sequence: 0 }))
  out.json('registry.json', city.registry())
  out.json('tariff.json', city.tariff())
  for (let from = 0; from < city.cards; from += cardsAtOnce) {
    const name = `cards-${String(from / cardsAtOnce + 1).padStart(4, '0')}.json`
    out.write(name, JSON.stringify({ cards: city.registered(from, cardsAtOnce) }) + '\n')
  }

  function close (service: number): void {
    const file = open[service]
    const { industry = '', merchant = '' } = city.services[service] ?? {}
    if (file === undefined || file.lines.length === 0) return
    const head = { industry, merchant, date, sequence: ++file.sequence }
    out.write(fileName(head), consumptionFile(head, file.lines, file.totalFen))
    file.lines = []
    file.totalFen = 0
  }
  return {
    take: ({ service, toldTwice, amountFen }, record) => {
      const file = open[service] as typeof open[number]
      const { merchant } = city.services[service] as City['services'][number]
      for (let times = toldTwice ? 2 : 1; times > 0; times--) {
        file.lines.push(consumptionLine(record, merchant, file.lines.length + 1, record.counter))
        file.totalFen += amountFen
      }
      if (file.lines.length >= fileRecords) close(service)
    },
    finish: () => {
      for (const service of city.services.keys()) close(service)
      out.json('expected.json', city.totals)
      return out.written()
    }
  }
}

/* ---- tapes ---- */

/** A tape of a POS line for each operator: every tap as a RECORD, with what a gateway answers. */
export function tapesOutput (city: City, dir: string): Output {
  emptyPlace(dir)
  const hashes = city.services.map(() => createHash('sha256'))
  const waiting = city.services.map(() => [] as string[])
  let bytes = 0
  const pathOf = (service: number): string => join(dir, `${city.services[service]?.party ?? ''}.jsonl`)
  function flush (service: number): void {
    const text = (waiting[service] ?? []).join('')
    if (text === '') return
    hashes[service]?.update(text)
    bytes += Buffer.byteLength(text)
    appendFileSync(pathOf(service), text)
    waiting[service] = []
  }
  return {
    take: (tap, record) => {
      const at = formatIso(city.startMs + 1_000 * tap.second)
      const device = city.services[tap.service]?.party ?? ''
      const said = (way: 'in' | 'out', bytes: Uint8Array, said: string): string => {
        const line: RawTapeLine = { at, device, way, said, protocol: 'pos-line', bytes: hex(bytes) }
        return JSON.stringify(line) + '\n'
      }
      const ack = Uint8Array.of(control.ack)
      const key = `${record.terminal}.${record.recordNo}`
      const [told, answered] = [posRecord(key, record), posAnswer(key)]
      for (let times = tap.toldTwice ? 2 : 1; times > 0; times--) {
        waiting[tap.service]?.push(
          said('in', buildFrame(told, plainLrc), maskPosMessage(told)), said('out', ack, 'ACK'),
          said('out', buildFrame(answered, plainLrc), maskPosMessage(answered)), said('in', ack, 'ACK'))
      }
      if ((waiting[tap.service]?.length ?? 0) >= 4_000) flush(tap.service)
    },
    finish: () => {
      for (const service of city.services.keys()) flush(service)
      const digest = createHash('sha256')
      for (const [at, hash] of hashes.entries()) {
        digest.update(`${city.services[at]?.party ?? ''}\n`).update(hash.digest())
      }
      return { files: city.services.length, bytes, digest: digest.digest('hex').toUpperCase() }
    }
  }
}

function posRecord (key: string, record: TransactionRecord): Uint8Array {
  const { card, purse, type, psam, dateTime, tac, grey, terminal } = record
  const fields: Partial<Record<PosField, string>> = {
    key, terminal, card: posCardText(card), purse, type, counter: String(record.counter),
    balanceBeforeFen: String(record.balanceBeforeFen), amountFen: String(record.amountFen), psam,
    sequence: String(record.sequence), dateTime, keyVersion: String(record.keyVersion),
    algorithm: String(record.algorithm), recordNo: String(record.recordNo),
    ...tac === null ? {} : { tac }, ...grey ? { grey: '1' } : {}
  }
  return writePosMessage({ kind: 'RECORD', fields })
}

const posAnswer = (key: string): Uint8Array => writePosMessage({
  kind: 'ANSWER', fields: { key, outcome: 'approved', reason: 'stored', text: posReasons.stored.en }
})
