// What a POS is answered: its requests go to the desk, its records to the spool, each under the key the POS
// gave it, so that a repeat is the same request. It refuses to know frames and lines.
import { Check } from 'typebox/value'
import { killPoint } from '../../runtime/kill-point.ts'
import { formatIso } from '../../runtime/instants.ts'
import type { PosTerminal } from '../../schemas/pos-line/config.ts'
import {
  type PosField, type PosKind, type PosMessage, type PosReason, posReasons, readPosMessage,
  writePosMessage
} from '../../schemas/pos-line/messages.ts'
import { cardOfPos, recordOfPos } from '../../schemas/pos-line/record.ts'
import { TransactionRecord } from '../../schemas/record.ts'
import type { NewRequest } from '../../schemas/request.ts'
import { terminalKey } from '../../schemas/terminals.ts'
import type { PortHouse } from '../face.ts'
import type { Said } from '../terminals/terminals.ts'
import type { Wire } from '../wire/wire.ts'

export type PosDesk = {
  /** The answer to one request, as it goes into a frame. The same key again is the same answer. */
  answer (request: Uint8Array, wire: Pick<Wire, 'certificate'>): Promise<Uint8Array>
}

export type PosDeskOptions = {
  readonly house: PortHouse
  readonly lane: string
  readonly terminals: readonly PosTerminal[]
  readonly answerMs: number
  readonly language: 'en' | 'zh'
}

type Fields = PosMessage['fields']
type Told = { readonly reason: PosReason, readonly fields?: Fields }
type Known = { readonly message: PosMessage, readonly told: Promise<Told> }

/** Answers that are remembered for repeats; older ones the ledger and the spool know by their keys. */
const knownMax = 1_000

export function posDesk ({ house, lane, terminals, answerMs, language }: PosDeskOptions): PosDesk {
  const byName = new Map(terminals.map(one => [one.terminal, one]))
  const only = terminals.length === 1 ? terminals[0] : undefined
  const known = new Map<string, Known>()

  async function answer (request: Uint8Array, wire: Pick<Wire, 'certificate'>): Promise<Uint8Array> {
    const read = readPosMessage(request)
    if (!read.ok) {
      const { field, offset, why } = read.error
      const text = `${field || 'message'} at ${offset}: ${why}`
      return written(noKey, { reason: 'unreadable', fields: { text } })
    }
    const { message } = read
    const { key = noKey, terminal: name } = message.fields
    const terminal = name === undefined ? only : byName.get(name)
    if (terminal === undefined) return written(key, { reason: 'terminal_unknown' })
    if (message.kind === 'ANSWER') return written(key, { reason: 'unreadable' })
    const stranger = house.guard.stranger(wire, terminal)
    if (stranger !== null) {
      return written(key, { reason: 'terminal_unknown', fields: { text: plain(stranger) } })
    }
    const busy = house.guard.tooBusy(terminal)
    if (busy !== null) return written(key, { reason: 'too_busy', fields: { text: plain(busy) } })
    const found = house.terminals.find(terminal.terminal, terminal.operator)
    if (found.ok) house.terminals.heard(terminal, saidOf(message, house.clock.now()))
    else if (!untouched.has(message.kind)) {
      return written(key, { reason: found.reason, fields: { text: plain(found.why) } })
    }
    return written(key, await once(terminal, key, message))
  }

  /** A repeat waits for the first, and is told the same; what stayed unknown is asked again. */
  async function once (terminal: PosTerminal, key: string, message: PosMessage): Promise<Told> {
    const name = `${terminal.operator}.${terminal.terminal}.${key}`
    const before = known.get(name)
    if (before !== undefined) {
      const field = differs(before.message, message)
      if (field === null) return await before.told
      return { reason: 'key_conflict', fields: { text: `another ${field}` } }
    }
    const told = tell(terminal, name, message)
    known.set(name, { message, told })
    for (const oldest of known.keys()) {
      if (known.size <= knownMax) break
      known.delete(oldest)
    }
    const { reason } = await told
    if (posReasons[reason].outcome !== 'approved' || passing.has(message.kind)) known.delete(name)
    return await told
  }

  const tell = (terminal: PosTerminal, key: string, { kind, fields }: PosMessage): Promise<Told> =>
    deeds[kind](terminal, key, fields)

  const deeds: Record<PosKind, (terminal: PosTerminal, key: string, fields: Fields) => Promise<Told>> = {
    ANSWER: async () => ({ reason: 'unreadable' }),
    ECHO: async () => {
      const version = house.parameters.blacklistVersion()
      return {
        reason: 'ok',
        fields: {
          time: formatIso(house.clock.now()),
          ...(version === null ? {} : { blacklistVersion: String(version) })
        }
      }
    },
    SALE: (terminal, key, fields) => ask(saleOf('purchase', terminal, key, fields)),
    TOPUP: (terminal, key, fields) => ask(saleOf('top_up', terminal, key, fields)),
    BALANCE: (_, key, { card }) => ask({ kind: 'balance', key, card: cardOfPos(card) }),
    CODE: scan,
    VOID: takeBack,
    RECORD: collect
  }

  async function ask (request: NewRequest): Promise<Told> {
    killPoint('pos-before-ask')
    const answered = await house.desk.ask(request, answerMs)
    killPoint('pos-after-ask')
    if (answered.outcome === 'unknown') return { reason: 'unanswered' }
    if (answered.outcome === 'refused') return { reason: 'refused', fields: { text: plain(answered.why) } }
    const { reason, replayed, amountFen, balanceFen, journal } = answered.reply
    return {
      reason,
      fields: {
        replayed: replayed ? '1' : '0',
        amountFen: String(amountFen),
        ...(balanceFen === null ? {} : { balanceFen: String(balanceFen) }),
        ...(journal === null ? {} : { journal })
      }
    }
  }

  /** The key names the scan: a POS that asks again is told from the next person with the same picture. */
  async function scan (of: PosTerminal, key: string, { code = '', amountFen }: Fields): Promise<Told> {
    const { operator, terminal } = of
    const asked = { of: { operator, terminal }, code, amountFen: Number(amountFen), reference: key }
    const before = await house.codes.again(asked)
    const refusal = before === null ? house.spool.refusal() : null
    if (refusal !== null) return { reason: refusal }
    const { reason } = before ?? await house.codes.take(asked)
    if (reason !== 'paid' && reason !== 'paid_before') return { reason: reason as PosReason }
    return { reason: 'ok', fields: { replayed: reason === 'paid' ? '0' : '1', amountFen: amountFen ?? '' } }
  }

  /**
   * The sale is asked once more first: one that is still on its way would otherwise arrive after it was taken
   * back. An answered one just gets its first answer again.
   */
  async function takeBack (terminal: PosTerminal, key: string, fields: Fields): Promise<Told> {
    const { of = '', partFen } = fields
    const sale = saleOf('purchase', terminal, `${terminal.operator}.${terminal.terminal}.${of}`, fields)
    const settled = await ask(sale)
    if (settled.reason === 'unanswered' || settled.reason === 'refused') return settled
    const part = partFen === undefined ? {} : { amountFen: Number(partFen) }
    return await ask({ kind: 'reversal', key, by: terminalKey(terminal), of: { key: sale.key }, ...part })
  }

  async function collect (terminal: PosTerminal, _: string, fields: Fields): Promise<Told> {
    const record = recordOfPos(terminal, fields)
    if (!Check(TransactionRecord, record)) {
      return { reason: 'unreadable', fields: { text: 'a figure of the record is out of range' } }
    }
    const refusal = house.spool.refusal()
    if (refusal !== null) return { reason: refusal }
    killPoint('pos-before-collect')
    const failed = await house.spool.collect(record, lane).then(() => false, () => true)
    killPoint('pos-after-collect')
    return { reason: failed ? 'spool_failed' : 'stored' }
  }

  function written (key: string, { reason, fields = {} }: Told): Uint8Array {
    const { outcome } = posReasons[reason]
    const text = fields.text ?? posReasons[reason][language]
    return writePosMessage({ kind: 'ANSWER', fields: { key, outcome, reason, ...fields, text } })
  }

  return { answer }
}

/** Of an answer to what could not be read. */
const noKey = '----'

/** What a terminal that may not be served can still say: what a chip has paid is history whoever tells it. */
const untouched: ReadonlySet<PosKind> = new Set(['ECHO', 'RECORD'])

/** What has no first answer to keep. */
const passing: ReadonlySet<PosKind> = new Set(['ECHO', 'BALANCE'])

function saleOf (
  kind: 'purchase' | 'top_up', { operator, terminal }: PosTerminal, key: string, { card, amountFen }: Fields
): NewRequest {
  const by = terminalKey({ operator, terminal })
  return { kind, key, by, card: cardOfPos(card), amountFen: Number(amountFen), party: operator, terminal }
}

/** What an echo tells of the POS itself. */
function saidOf ({ kind, fields }: PosMessage, nowMs: number): Said {
  if (kind !== 'ECHO') return {}
  const { time, blacklistVersion, tariffVersion } = fields
  const clockMs = time === undefined ? Number.NaN : Date.parse(time)
  const versions = { blacklist: Number(blacklistVersion ?? 0), tariff: Number(tariffVersion ?? 0) }
  const applied = (['blacklist', 'tariff'] as const)
    .map(kind => ({ kind, version: versions[kind], atMs: nowMs }))
  return {
    ...Number.isNaN(clockMs) ? {} : { clockMs }, applied: applied.filter(({ version }) => version > 0)
  }
}

/** The first field in which a message differs from the one that had its key before. */
function differs (before: PosMessage, now: PosMessage): string | null {
  if (before.kind !== now.kind) return 'kind'
  const names = Object.keys({ ...before.fields, ...now.fields }) as PosField[]
  return names.find(name => before.fields[name] !== now.fields[name]) ?? null
}

/** What others said, so short and plain that it can stand in a frame. */
const plain = (text: string): string => text.replace(/[^\x20-\x7b\x7d-\x7e]/g, ' ').slice(0, 200)
