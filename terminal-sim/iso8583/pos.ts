// A point-of-sale terminal that speaks ISO 8583 over any stream: signs in, signs its requests, checks the
// answers, counts its batch. It does what it is told, mistakes included, and refuses to know cards' chips and
// gateways.
import type { Duplex } from 'node:stream'
import { equalConstantTime, hex, unhex } from '../../schemas/epurse/hex.ts'
import {
  answerType, currency, exchanges, field48, field60, field61, type Kind, type BatchTotals, readField60
} from '../../schemas/iso8583/exchanges.ts'
import type { FieldValues } from '../../schemas/iso8583/fields.ts'
import {
  ack, cutFrame, type Framing, frameOf, type Header, openEnvelope, sealEnvelope
} from '../../schemas/iso8583/framing.ts'
import {
  checkValue, type KeyLayout, macOf, macStyles, type MacStyle, readKeys,
  unwrapKey
} from '../../schemas/iso8583/mac.ts'
import { buildMessage, parseMessage } from '../../schemas/iso8583/message.ts'

export type PosOptions = {
  readonly terminal: string
  readonly merchant: string
  readonly master: Uint8Array
  readonly framing?: Framing
  readonly mac?: MacStyle
  readonly batch?: string
  /** How long it waits for an answer. */
  readonly answerMs?: number
}

export type PosAnswer = {
  readonly code: string, readonly fields: FieldValues, readonly header: Header,
  readonly mti: string
}

/** Field 60.1 and 60.3, and the processing code, of what it asks. */
const said: Readonly<Record<Kind, {
  readonly type: string, readonly network: string,
  readonly processing?: string
}>> = {
  sign_in: { type: '00', network: '003' }, sign_off: { type: '00', network: '002' }, echo: {
    type: '00',
    network: '301'
  },
  purchase: { type: '22', network: '000', processing: '000000' },
  balance: { type: '01', network: '000', processing: '310000' },
  void: { type: '23', network: '000', processing: '200000' },
  refund: { type: '25', network: '000', processing: '200000' },
  load: { type: '46', network: '000', processing: '630000' },
  load_void: { type: '47', network: '000', processing: '200000' },
  reversal: { type: '22', network: '000', processing: '000000' },
  settlement: { type: '00', network: '201' }, upload: { type: '00', network: '201' },
  upload_end: { type: '00', network: '202' }
}

export type Pos = ReturnType<typeof openPos>

export function openPos (given: PosOptions) {
  const options = {
    framing: { length: 'nac', line: false } as Framing, mac: 'ecb' as MacStyle,
    answerMs: 20_000, ...given
  }
  const { suite } = macStyles[options.mac]
  const waiting = new Map<string, (answer: PosAnswer) => void>()
  let stream: Duplex | null = null
  let rest: Uint8Array = new Uint8Array()
  let trace = 0
  let batch = options.batch ?? '000001'
  let key: Uint8Array | null = null

  /** Goes on over another connection. */
  function attach (to: Duplex): void {
    stream = to
    rest = new Uint8Array()
    to.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes])
      for (let found = cutFrame(rest, options.framing); found !== null; found = cutFrame(rest,
        options.framing)) {
        rest = found.rest
        if (found.cut.kind !== 'message') continue
        if (options.framing.line) to.write(Uint8Array.of(ack))
        hear(found.cut.message)
      }
    })
    to.on('error', () => undefined)
  }

  function hear (message: Uint8Array): void {
    const open = openEnvelope(message)
    if (!open.ok) throw new Error(open.error)
    const { header, body } = open.envelope
    const parsed = parseMessage(body)
    if (!parsed.ok) throw new Error(parsed.error)
    const { mti, fields } = parsed.message
    if (fields[64] !== undefined && !equalConstantTime(unhex(fields[64]), macOf(options.mac,
      key as Uint8Array, body.subarray(0, -8)))) {
      throw new Error(`the answer ${mti} is signed with another key`)
    }
    const name = `${mti} ${fields[11]}`
    waiting.get(name)?.({ code: fields[39] ?? '', fields, header, mti })
    waiting.delete(name)
  }

  /** The bytes of a request; `key` null: unsigned. */
  function frame (kind: Kind, more: FieldValues = {}, signedWith = key): Uint8Array {
    const { type, network, processing } = said[kind]
    const fields: FieldValues = {
      11: nextTrace(more), 41: options.terminal.padEnd(8), 42: options.merchant.padEnd(15),
      60: field60({ type, batch, network }),
      ...processing === undefined ? {} : { 3: processing, 25: '00', 49: currency },
      ...more,
      ...signedWith === null ? {} : { 64: '0'.repeat(16) }
    }
    const body = buildMessage({ mti: exchanges[kind].mti, fields })
    if (signedWith !== null) body.set(macOf(options.mac, signedWith, body.subarray(0, -8)), body.length - 8)
    const header: Header = {
      application: '60', software: '31', state: 0, processing: 'none',
      version: '311001'
    }
    return frameOf(sealEnvelope({ tpdu: { destination: '0001', source: '0000' }, header, body }),
      options.framing)
  }

  function nextTrace (more: FieldValues): string {
    if (more[11] === undefined) trace += 1
    return more[11] ?? String(trace).padStart(6, '0')
  }

  /** Sends bytes as they are and waits for the answer with that type and trace. */
  function send (bytes: Uint8Array, mti: string, traceNo: string): Promise<PosAnswer> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        waiting.delete(`${mti} ${traceNo}`)
        reject(new Error(`no ${mti} for ${traceNo} within ${options.answerMs} ms`))
      }, options.answerMs).unref()
      waiting.set(`${mti} ${traceNo}`, answer => {
        clearTimeout(late)
        resolve(answer)
      })
      stream?.write(bytes)
    })
  }

  async function ask (kind: Kind, more: FieldValues = {}, signedWith = key): Promise<PosAnswer> {
    const traceNo = nextTrace(more)
    const unsigned = kind === 'sign_in' || kind === 'echo'
    const bytes = frame(kind, { ...more, 11: traceNo }, unsigned ? null : signedWith)
    return await send(bytes, answerType(exchanges[kind].mti), traceNo)
  }

  /** Takes the key only where its check value is right. */
  async function signIn (layout: KeyLayout = '003'): Promise<PosAnswer> {
    const answer = await ask('sign_in', {
      60: field60({ type: '00', batch, network: layout }),
      62: hex(Buffer.from('Sequence No16000000POS-SIM-0001')), 63: '01 '
    })
    if (answer.code !== '00') return answer
    const { mac } = readKeys(unhex(answer.fields[62] ?? ''), layout)
    const opened = unwrapKey(options.master, mac.wrapped, suite)
    if (hex(checkValue(opened,
      suite)) !== hex(mac.check)) throw new Error('the check value of the MAC key is wrong')
    key = opened
    batch = readField60(answer.fields[60] ?? '').batch
    return answer
  }

  const fen = (amount: number): string => String(amount).padStart(12, '0')
  const original = (traceNo: string, of = batch): string => field61({
    batch: of, trace: traceNo,
    date: '0302'
  })
  return {
    attach,
    signIn,
    ask,
    frame,
    send,
    purchase: (card: string, amountFen: number, more: FieldValues = {}) => ask('purchase', {
      2: card,
      4: fen(amountFen), ...more
    }),
    load: (card: string, amountFen: number, more: FieldValues = {}) => ask('load', {
      2: card,
      4: fen(amountFen), ...more
    }),
    balance: (card: string) => ask('balance', { 2: card }),
    void: (traceNo: string, amountFen: number, more: FieldValues = {}) =>
      ask('void', { 4: fen(amountFen), 61: original(traceNo), ...more }),
    refund: (traceNo: string, of: string, amountFen: number) => ask('refund', {
      4: fen(amountFen),
      61: original(traceNo, of)
    }),
    /** `type`: field 60.1 of the original. */
    reverse: (traceNo: string, amountFen: number, type = '22', of = batch) => ask('reversal', {
      4: fen(amountFen), 11: traceNo, 39: '98', 60: field60({ type, batch: of, network: '000' }),
      61: original(traceNo, of)
    }),
    settle: (totals: BatchTotals) => ask('settlement', { 48: field48(totals, 'asked') }),
    upload: (traceNo: string, amountFen: number) => ask('upload', {
      4: fen(amountFen),
      61: original(traceNo)
    }),
    endUpload: (totals: BatchTotals) => ask('upload_end', { 48: field48(totals, 'asked') }),
    trace: () => String(trace).padStart(6, '0'),
    batch: () => batch,
    key: () => key,
    /** The next batch, as a terminal begins it by itself. */
    startBatch: (number: string) => { batch = number }
  }
}
