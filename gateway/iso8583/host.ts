// The host's side: a message in, its answer out, whatever was said. Nothing is said before it is on disk. It
// refuses to know wires and frames, and what each exchange does.
import { localDate, localTime } from '../../runtime/instants.ts'
import type { Iso8583Speaks } from '../../schemas/iso8583/config.ts'
import { answerType, exchanges, type Kind, kindOf } from '../../schemas/iso8583/exchanges.ts'
import type { FieldValues } from '../../schemas/iso8583/fields.ts'
import { type Envelope, openEnvelope, sealEnvelope, swapped } from '../../schemas/iso8583/framing.ts'
import { macOf } from '../../schemas/iso8583/mac.ts'
import { buildMessage, type Message, parseMessage } from '../../schemas/iso8583/message.ts'
import { hostReasons } from '../../schemas/reasons.ts'
import type { PortHouse } from '../face.ts'
import type { Wire } from '../wire/wire.ts'
import { type Admitted, openAdmission, type Refused } from './admission.ts'
import { openBatches } from './batches.ts'
import type { Book } from './book.ts'
import type { Said } from './decisions.ts'
import { openPayments } from './payments.ts'
import { openSignIns } from './sign-in.ts'

export type Host = {
  /** The answer to a message, or null where nothing can be said to anybody. Rejects where the disk fails. */
  answer (message: Uint8Array, wire: Pick<Wire, 'certificate'>): Promise<Uint8Array | null>
  readonly counts: Readonly<Record<string, number>>
  /** Takes back what the end of the process before this one left open. */
  recover (): Promise<void>
}

const defaults = {
  mac: 'ecb', macKeyBytes: 16, unsigned: [] as readonly string[], deadlineMs: 8_000
} as const

export function openHost (speaks: Iso8583Speaks, house: PortHouse, book: Book): Host {
  const { clock, log } = house
  const settings = { ...defaults, ...speaks }
  const counts: Record<string, number> = {
    messages: 0, unreadable: 0, refused: 0, approved: 0, declined: 0, unknown: 0
  }
  const count = (name: string): void => { counts[name] = (counts[name] ?? 0) + 1 }
  const { admit } = openAdmission(settings, house, book)
  const signIns = openSignIns(settings, house, book)
  const payments = openPayments({ ...settings, house, book, count })
  const batches = openBatches(house, book)

  const exchange: Readonly<Record<Kind, (asked: Admitted) => Promise<Said>>> = {
    sign_in: signIns.signIn,
    sign_off: signIns.signOff,
    echo: async () => ({ code: '00' }),
    purchase: payments.pay,
    void: payments.pay,
    refund: payments.pay,
    load: payments.pay,
    load_void: payments.pay,
    balance: payments.tellBalance,
    reversal: payments.reverse,
    settlement: batches.settle,
    upload: batches.takeUpload,
    upload_end: batches.endUpload
  }

  async function answer (
    bytes: Uint8Array, wire: Pick<Wire, 'certificate'>
  ): Promise<Uint8Array | null> {
    count('messages')
    const opened = openEnvelope(bytes)
    if (!opened.ok) return unreadable(opened.error)
    const { envelope } = opened
    const parsed = parseMessage(envelope.body)
    if (!parsed.ok) {
      const { error: why, partly } = parsed
      return partly === null ? unreadable(why) : refuse(envelope, partly, { reason: 'unreadable', why })
    }
    const admitted = admit(parsed.message, envelope.body, wire)
    if ('reason' in admitted) return refuse(envelope, parsed.message, admitted)
    const said = await exchange[admitted.kind](admitted)
    const failure = book.failure()
    if (failure !== null) throw failure // what was known without asking may not be on disk
    const { terminal, key } = admitted
    return sealed(envelope, admitted, { processing: signIns.waitingFor(terminal, key !== null), ...said })
  }

  function unreadable (why: string): null {
    count('unreadable')
    log.warn({ why }, 'a message cannot be read')
    return null
  }

  function refuse (
    envelope: Envelope, { mti, fields: values }: Message, { reason, why, key = null }: Refused
  ): Uint8Array {
    count('refused')
    const at = (values[41] ?? '').trimEnd()
    log.warn({ terminal: at, mti, reason, why }, 'a request is refused')
    const { iso8583: code } = hostReasons[reason]
    const asked = { kind: kindOf(mti, values), values, mti, key }
    return sealed(envelope, asked, { code, ...signInHelps.has(code) ? { processing: 'sign_in' } : {} })
  }

  type Answered = Pick<Admitted, 'values' | 'mti' | 'key'> & { readonly kind: Kind | null }

  function sealed ({ tpdu, header }: Envelope, { kind, values, mti, key }: Answered, said: Said): Uint8Array {
    const atMs = said.atMs ?? clock.now()
    const fields: FieldValues = {
      ...repeatedIn(kind, values),
      12: localTime(atMs).replaceAll(':', ''),
      13: localDate(atMs).slice(5).replace('-', ''),
      39: said.code,
      ...said.fields,
      ...key === null ? {} : { 64: '0'.repeat(16) }
    }
    const body = buildMessage({ mti: answerType(mti), fields })
    if (key !== null) body.set(macOf(settings.mac, key, body.subarray(0, -8)), body.length - 8)
    const processing = said.processing ?? 'none'
    return sealEnvelope({ tpdu: swapped(tpdu), header: { ...header, state: 0, processing }, body })
  }

  return { answer, counts, recover: payments.recover }
}

/** Codes behind which a terminal is asked to sign in again. */
const signInHelps: ReadonlySet<string> = new Set(['77', 'A0'])

/** What an answer gives back as it came. */
function repeatedIn (kind: Kind | null, values: FieldValues): FieldValues {
  const repeated = [...kind === null ? [] : exchanges[kind].repeats, 11, 41, 42] as const
  return Object.fromEntries(repeated.flatMap(number =>
    values[number] === undefined ? [] : [[number, values[number]]]))
}
