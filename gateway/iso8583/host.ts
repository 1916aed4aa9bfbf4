// The host's side of each exchange: who asks, whether it is signed, what the session allows, what the ledger
// says, and the answer. Nothing is said before it is on disk. It refuses to know wires and frames.
import { answerReasons, hostReasons, type HostReason } from '../../schemas/reasons.ts'
import { equalConstantTime, hex, unhex } from '../../schemas/epurse/hex.ts'
import { localDate, localTime } from '../../runtime/instants.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import type { Iso8583Speaks, PosTerminal } from '../../schemas/iso8583/config.ts'
import {
  answerType, exchanges, field48, field54, field60, type Kind, kindOf, kinds, missingField, readField48,
  readField60
} from '../../schemas/iso8583/exchanges.ts'
import { type FieldValues, fieldName } from '../../schemas/iso8583/fields.ts'
import {
  type Envelope, openEnvelope, type ProcessingRequest, sealEnvelope, swapped
} from '../../schemas/iso8583/framing.ts'
import {
  checkValue, type KeyLayout, keyLayouts, keysField, macOf, macStyles, unwrapKey, wrapKey, type WrappedKey
} from '../../schemas/iso8583/mac.ts'
import { buildMessage, type Message, parseMessage } from '../../schemas/iso8583/message.ts'
import { suites } from '../../schemas/epurse/suite.ts'
import type { Answer } from '../desk.ts'
import type { EdgeHouse } from '../face.ts'
import { type Book, type Item, itemsMax, type KeptKey, stands, type TerminalState, totalsOf } from './book.ts'
import { cardOf, digestOf, originalOf, referenceOf, requestKey, requestOf, takeBackOf } from './requests.ts'
import { next } from './session.ts'

export type Host = {
  /** The answer to a message, or null where nothing can be said to anybody. Rejects where the disk fails. */
  answer (message: Uint8Array): Promise<Uint8Array | null>
  readonly counts: Readonly<Record<string, number>>
  /** Takes back what the end of the process before this one left open. */
  recover (): Promise<void>
}

/** What an answer says beside what it repeats. */
type Said = {
  readonly code: string
  readonly fields?: FieldValues
  readonly processing?: ProcessingRequest
  readonly atMs?: number
}
/** A request whose sender is known and may ask for such a thing now. */
type Admitted = {
  readonly kind: Kind
  readonly terminal: PosTerminal
  readonly values: FieldValues
  readonly mti: string
  readonly key: Uint8Array | null
}
type Refused = { readonly reason: HostReason, readonly why: string, readonly key?: Uint8Array | null }

const defaults = {
  mac: 'ecb', macKeyBytes: 16, unsigned: [] as readonly string[],
  deadlineMs: 8_000
} as const

export function openHost (speaks: Iso8583Speaks, house: EdgeHouse, book: Book): Host {
  const { clock, desk, log, parameters } = house
  const settings = { ...defaults, ...speaks }
  const { suite } = macStyles[settings.mac]
  const configured = new Map(speaks.terminals.map(one => [one.terminal, one]))
  const underWay = new Map<string, Promise<Item>>()
  const counts: Record<string, number> = {
    messages: 0, unreadable: 0, refused: 0, approved: 0, declined: 0,
    unknown: 0
  }
  const count = (name: string): void => { counts[name] = (counts[name] ?? 0) + 1 }

  async function answer (bytes: Uint8Array): Promise<Uint8Array | null> {
    count('messages')
    const opened = openEnvelope(bytes)
    if (!opened.ok) return unreadable(opened.error)
    const { envelope } = opened
    const parsed = parseMessage(envelope.body)
    if (!parsed.ok && parsed.partly === null) return unreadable(parsed.error)
    const message = parsed.ok ? parsed.message : parsed.partly as Message
    const admitted = parsed.ok
      ? admit(message, envelope.body)
      : {
          reason: 'unreadable' as const,
          why: parsed.error
        }
    if ('reason' in admitted) return refuse(envelope, message, admitted)
    const said = await serve(admitted)
    return sealed(envelope, admitted, { processing: waitingFor(admitted.terminal.terminal), ...said })
  }

  function unreadable (why: string): null {
    count('unreadable')
    log.warn({ why }, 'a message cannot be read')
    return null
  }

  function refuse (envelope: Envelope, { mti, fields: values }: Message, {
    reason, why, key =
    null
  }: Refused): Uint8Array {
    count('refused')
    const at = (values[41] ?? '').trimEnd()
    log.warn({ terminal: at, mti, reason, why }, 'a request is refused')
    const { iso8583: code } = hostReasons[reason]
    const asked = { kind: kindOf(mti, values), values, mti, key }
    return sealed(envelope, asked, {
      code, ...code === '77' ||
      code === 'A0'
        ? { processing: 'sign_in' }
        : {}
    })
  }

  /* ---- who asks, and whether it may: the order is that of the reasons ---- */

  function admit ({ mti, fields: values }: Message, body: Uint8Array): Admitted | Refused {
    const kind = kindOf(mti, values)
    if (kind === null) return { reason: 'kind_unknown', why: `${mti}, field 60: ${values[60] ?? 'none'}` }
    const missing = missingField(kind, values)
    if (missing !== null) return { reason: 'unreadable', why: `${fieldName(missing)} is missing` }
    const named = (values[41] ?? '').trimEnd()
    const terminal = configured.get(named)
    if (terminal === undefined) return { reason: 'terminal_unknown', why: `${named} is not configured here` }
    const found = house.terminals.find(named, terminal.operator)
    if (!found.ok) return { reason: 'terminal_unknown', why: found.why }
    if (masterOf(named) === null) {
      return {
        reason: 'terminal_unknown',
        why: `no master key of ${named} for ${suite}`
      }
    }
    if ((values[42] ?? '').trimEnd() !== terminal.merchant) {
      return { reason: 'merchant_wrong', why: `${named} is not a terminal of that merchant` }
    }
    const state = book.of(named)
    const signed = signedBy(state, terminal, mti, values, body)
    if (signed !== null && 'reason' in signed) return signed
    house.terminals.heard(found.terminal)
    const key = signed?.key ?? null
    if (next[state.session][kind] === undefined) {
      return {
        reason: state.session === 'uploading' ? 'upload_first' : 'sign_in_first',
        why: `${kind} while ${state.session}`, key
      }
    }
    const { batch } = readField60(values[60] ?? '')
    if (isBatchOver(state, kind, batch)) return { reason: 'batch_over', why: `batch ${batch}`, key }
    return { kind, terminal, values, mti, key }
  }

  const masterOf = (terminal: string): Uint8Array | null => {
    const found = house.terminals.find(terminal, configured.get(terminal)?.operator)
    const name = found.ok ? found.terminal.keys?.name ?? terminal : terminal
    const master = house.masterKey(name)
    return master?.suite === suite ? master.key : null
  }

  /** The key that signed it; null where none is due and none is there. */
  function signedBy (
    state: TerminalState, { terminal, operator }: PosTerminal, mti: string, values: FieldValues,
    body: Uint8Array
  ): { readonly key: Uint8Array } | Refused | null {
    const isDue = mti !== '0800' && mti !== '0820' && !settings.unsigned.includes(mti)
    if (!isDue && values[64] === undefined) return null
    const kept = [state.pending, state.current].filter(one => one !== null)
    if (kept.length === 0) return isDue ? { reason: 'sign_in_first', why: 'no working key' } : null
    const told = unhex(values[64] ?? '')
    for (const one of kept) {
      const key = macKeyOf(terminal, one)
      if (!equalConstantTime(told, macOf(settings.mac, key, body.subarray(0, -8)))) continue
      if (one === state.pending) void book.change(terminal, { accepted: one.wrapped }).catch(() => undefined)
      house.terminals.clear({ operator, terminal }, 'keys_refused')
      return { key }
    }
    if (!isDue) return null
    house.terminals.raise({ operator, terminal }, 'keys_refused')
    const why = values[64] === undefined ? 'not signed' : 'signed with another key, or changed'
    return { reason: 'mac_wrong', why }
  }

  const macKeyOf = (terminal: string, { wrapped }: KeptKey): Uint8Array =>
    unwrapKey(masterOf(terminal) as Uint8Array, unhex(wrapped), suite).subarray(0,
      suite === 'sm4' ? 16 : settings.macKeyBytes)

  /* ---- each exchange ---- */

  async function serve (asked: Admitted): Promise<Said> {
    switch (asked.kind) {
      case 'sign_in': return await signIn(asked)
      case 'sign_off':
        await book.change(asked.terminal.terminal, { session: next.signed_in.sign_off ?? 'signed_out' })
        return { code: '00' }
      case 'echo': return { code: '00' }
      case 'balance': return await tellBalance(asked)
      case 'reversal': return await reverse(asked)
      case 'settlement': return await settle(asked)
      case 'upload': return await takeUpload(asked)
      case 'upload_end': return await endUpload(asked)
      default: return await pay(asked)
    }
  }

  /** The new key counts from its first use; whoever only listens cannot sign anything with it. */
  async function signIn ({ terminal: { terminal }, values }: Admitted): Promise<Said> {
    const { batch: told, network } = readField60(values[60] ?? '')
    const { keyBytes, track } = keyLayouts[network as KeyLayout]
    if (keyBytes % suites[suite].block !== 0) return { code: hostReasons.unreadable.iso8583 }
    const state = book.of(terminal)
    const master = masterOf(terminal) as Uint8Array
    const fresh = (): WrappedKey => {
      const key = suite === '3des' ? withParity(house.randomBytes(keyBytes)) : house.randomBytes(keyBytes)
      const counted = key.subarray(0, suite === 'sm4' ? 16 : Math.min(keyBytes, settings.macKeyBytes))
      return { wrapped: wrapKey(master, key, suite), check: checkValue(counted, suite) }
    }
    const [pin, mac] = [fresh(), fresh()]
    const batch = batchFor(state, told)
    if (batch !== state.batch && state.items.size > 0) {
      log.error({ alarm: 'batch_left', terminal, batch: state.batch, totals: totalsOf(state.items.values()) },
        'a terminal leaves a batch that it did not settle')
    }
    const kept = { wrapped: hex(mac.wrapped), check: hex(mac.check) }
    const session = next[state.session].sign_in ?? 'signed_in'
    await book.change(terminal, { signedIn: kept, batch, held: versions(), session })
    const keys = keysField({ pin, mac, ...track ? { track: fresh() } : {} })
    return { code: '00', fields: { 60: field60({ type: '00', batch, network }), 62: hex(keys) } }
  }

  const versions = (): TerminalState['held'] =>
    ({ blacklist: parameters.blacklistVersion(), tariff: parameters.tariff()?.version ?? null })

  /** What the header asks a terminal for. It holds what there was when it signed in. */
  function waitingFor (terminal: string): ProcessingRequest {
    const { session, held } = book.of(terminal)
    const now = versions()
    if (session === 'signed_out') return 'none'
    return now.tariff !== held.tariff ? 'parameters' : now.blacklist !== held.blacklist ? 'blacklist' : 'none'
  }

  async function tellBalance (asked: Admitted): Promise<Said> {
    const request = requestOf(askingOf(asked))
    if (request === null) return refused('issuer_unknown')
    const answer = await desk.ask(request, settings.deadlineMs)
    const code = codeOf(answer)
    const balanceFen = 'reply' in answer ? answer.reply.balanceFen : null
    return { code, ...balanceFen === null ? {} : { fields: { 54: field54(balanceFen) } } }
  }

  const askingOf = ({ kind, terminal: { terminal, operator }, values }: Admitted) => ({
    key: keyOf(terminal, values), kind, terminal, operator, amountFen: Number(values[4] ?? 0),
    card: cardOf(values, speaks.issuers), original: originalOf(values)
  })

  /** A request that moves money: once by terminal, batch and trace, whatever comes how often. */
  async function pay (asked: Admitted): Promise<Said> {
    const { terminal: { terminal }, values, mti } = asked
    const key = keyOf(terminal, values)
    const state = await inBatch(terminal, values)
    const trace = values[11] as string
    const known = state.items.get(trace)
    const item = underWay.get(key) ?? known
    if (item !== undefined) {
      const first = await item
      if (first.reversed !== null && first.digest === '') return { code: answerReasons.taken_back.iso8583 }
      if (first.digest !== digestOf(mti, values)) return refused('key_used')
      return saidOf(key, first)
    }
    const wrong = wrongOriginal(state, asked)
    if (wrong !== null) return refused(wrong)
    if (state.items.size >= itemsMax) return refused('batch_full')
    const done = askOnce(asked, key, trace).finally(() => underWay.delete(key))
    underWay.set(key, done)
    return saidOf(key, await done)
  }

  async function askOnce (asked: Admitted, key: string, trace: string): Promise<Item> {
    const { kind, terminal: { terminal }, values, mti } = asked
    const request = requestOf(askingOf(asked))
    const item: Item = {
      trace, kind, digest: digestOf(mti, values), amountFen: Number(values[4]), atMs: clock.now(), code: null,
      clearingDate: null, reversed: null, uploaded: false
    }
    if (request === null || item.amountFen < 1) {
      const reason = item.amountFen < 1
        ? 'unreadable'
        : kind === 'purchase' ||
        kind === 'load'
          ? 'issuer_unknown'
          : 'original_missing'
      return { ...item, code: hostReasons[reason].iso8583 }
    }
    await book.change(terminal, { item })
    killPoint('after-asked')
    const answer = await desk.ask(request, settings.deadlineMs)
    killPoint('before-answered')
    if (answer.outcome === 'unknown') await takeBack(kind, key)
    const now = book.of(terminal).items.get(trace) ?? item
    const code = now.reversed === null ? codeOf(answer) : hostReasons.unanswered.iso8583
    const answered = { ...now, code, clearingDate: 'reply' in answer ? answer.reply.clearingDate : null }
    await book.change(terminal, { item: answered })
    count(answer.outcome)
    if (answer.outcome !== 'approved') {
      log.info({ terminal, trace, kind, code, why: whyOf(answer) },
        'not approved')
    }
    return answered
  }

  /** Resolves when it is on disk; the answer may come much later. */
  async function takeBack (kind: Kind, key: string): Promise<{ answered: Promise<Answer> } | null> {
    const request = takeBackOf(kind, key)
    return request === null ? null : await desk.takeBack(request)
  }

  function saidOf (key: string, { code, clearingDate, atMs }: Item): Said {
    const fields = {
      37: referenceOf(key),
      ...clearingDate === null ? {} : { 15: clearingDate.slice(5).replace('-', '') }
    }
    return { code: code ?? hostReasons.unanswered.iso8583, fields, atMs }
  }

  /** The repeat of a reversal hears what the first heard; what is on disk will be done. */
  async function reverse ({ terminal: { terminal }, values }: Admitted): Promise<Said> {
    const { batch, type } = readField60(values[60] ?? '')
    const original = originalOf(values) ?? { batch, trace: values[11] as string }
    const state = book.of(terminal)
    const item = original.batch === state.batch ? state.items.get(original.trace) : undefined
    const kind = item?.kind ?? kinds.find(one => exchanges[one].types?.includes(type))
    const amountFen = Number(values[4])
    if (item?.reversed != null) return { code: item.reversed }
    if (kind === undefined || kind === 'refund' || kind === 'balance') return refused('original_reversed')
    if (item !== undefined && item.amountFen !== amountFen) return refused('amount_differs')
    if (item !== undefined && item.code !== null && item.code !== '00') return refused('original_reversed')
    const kept = await takeBack(kind, requestKey(terminal, original.batch, original.trace))
    const late = new Promise<null>(resolve => { setTimeout(resolve, settings.deadlineMs, null).unref() })
    const answer = await Promise.race([kept?.answered ?? late, late])
    const code = answer === null || answer.outcome === 'unknown' ? '00' : reversalCode(answer)
    const place = item ?? {
      trace: original.trace, kind, digest: '', amountFen, atMs: clock.now(), code: '68', clearingDate: null,
      uploaded: false
    }
    if (original.batch === state.batch) {
      const now = book.of(terminal).items.get(original.trace) ?? place
      await book.change(terminal, { item: { ...now, reversed: code } })
    }
    log.info({ terminal, trace: original.trace, kind, code }, 'reversed')
    return { code }
  }

  async function settle ({ terminal: { terminal }, values }: Admitted): Promise<Said> {
    const { batch } = readField60(values[60] ?? '')
    const told = readField48(values[48] ?? '')
    if (told === null) return refused('unreadable')
    const { settled } = book.of(terminal)
    if (settled?.batch === batch) return { code: '00', fields: { 48: settled.totals } }
    const state = await inBatch(terminal, values)
    const ours = totalsOf(state.items.values())
    if (field48(told, 'asked') === field48(ours, 'asked')) {
      const totals = field48(told, 'equal')
      await book.change(terminal, { settled: { batch, totals } })
      log.info({ terminal, batch, totals: ours }, 'batch settled')
      return { code: '00', fields: { 48: totals } }
    }
    log.warn({ terminal, batch, told, ours }, 'the totals of a batch differ')
    await book.change(terminal, { session: next[state.session].unequal ?? state.session })
    return { code: '00', fields: { 48: field48(told, 'unequal') } }
  }

  async function takeUpload ({ terminal: { terminal }, values }: Admitted): Promise<Said> {
    const { batch } = readField60(values[60] ?? '')
    const { trace } = originalOf(values) ?? { trace: values[11] as string }
    const item = book.of(terminal).items.get(trace)
    if (item !== undefined && stands(item) && item.amountFen === Number(values[4])) {
      await book.change(terminal, { item: { ...item, uploaded: true } })
    } else {
      log.error({
        alarm: 'upload_differs', terminal, batch, trace, told: Number(values[4]),
        ours: item?.amountFen ?? null
      },
      'a terminal uploads what the ledger has not approved like this')
    }
    return { code: '00' }
  }

  /** What stands here and not there is for people to look at: nobody knows who left with the goods. */
  async function endUpload ({ terminal: { terminal }, values }: Admitted): Promise<Said> {
    const { batch } = readField60(values[60] ?? '')
    const { items } = book.of(terminal)
    const missing = [...items.values()].filter(item => stands(item) && !item.uploaded).map(({ trace }) =>
      trace)
    if (missing.length > 0) {
      log.error({ alarm: 'upload_misses', terminal, batch, missing },
        'approved transactions are not in the upload of a batch')
    }
    await book.change(terminal, { settled: { batch, totals: field48(totalsOf(items.values()), 'unequal') } })
    return { code: '00', fields: { 48: values[48] as string } }
  }

  /** The state in the batch that the request names, which may be the next one. */
  async function inBatch (terminal: string, values: FieldValues): Promise<TerminalState> {
    const { batch } = readField60(values[60] ?? '')
    if (batch > book.of(terminal).batch) await book.change(terminal, { batch })
    return book.of(terminal)
  }

  /* ---- answers ---- */

  type Answered = {
    readonly kind: Kind | null, readonly values: FieldValues, readonly mti: string,
    readonly key: Uint8Array | null
  }
  function sealed ({ tpdu, header }: Envelope, { kind, values, mti, key }: Answered, said: Said): Uint8Array {
    const atMs = said.atMs ?? clock.now()
    const repeated = [...kind === null ? [] : exchanges[kind].repeats, 11, 41, 42] as const
    const fields: FieldValues = {
      ...Object.fromEntries(repeated.flatMap(number => values[number] === undefined
        ? []
        : [[number,
            values[number]]])),
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

  return {
    answer,
    counts,
    recover: async () => {
      for (const { terminal, batch, item } of book.unknown()) {
        await takeBack(item.kind, requestKey(terminal, batch, item.trace))
        await book.change(terminal, { item: { ...item, code: hostReasons.unanswered.iso8583 } })
        log.warn({ terminal, batch, trace: item.trace },
          'a request was cut short by the last end: it is taken back')
      }
    }
  }
}

/* ---- decisions ---- */

const refused = (reason: HostReason): Said => ({ code: hostReasons[reason].iso8583 })

const keyOf = (terminal: string, values: FieldValues): string =>
  requestKey(terminal, readField60(values[60] ?? '').batch, values[11] as string)

/** Batches only go forward: a terminal that starts over is told which is next when it signs in. */
function isBatchOver (state: TerminalState, kind: Kind, batch: string): boolean {
  if (kind === 'sign_in' || kind === 'sign_off' || kind === 'echo' || kind === 'reversal' ||
    kind === 'balance') return false
  if (kind === 'settlement' && state.settled?.batch === batch) return false
  return batch < state.batch || (state.settled !== null && batch <= state.settled.batch)
}

function batchFor ({ batch, settled }: TerminalState, told: string): string {
  const after = settled === null ? 1 : Number(settled.batch) + 1
  return String(Math.max(Number(told), Number(batch), after) % 1_000_000).padStart(6, '0')
}

/** What a void says of its original, as far as that is in the open batch. */
function wrongOriginal ({ items, batch }: TerminalState, { kind, values }: Admitted): HostReason | null {
  if (kind !== 'void' && kind !== 'load_void') return null
  const original = originalOf(values)
  if (original === null) return 'original_missing'
  const item = original.batch === batch ? items.get(original.trace) : undefined
  if (item === undefined) return null // the ledger knows
  if (item.kind !== (kind === 'void' ? 'purchase' : 'load') || !stands(item)) return 'original_reversed'
  return item.amountFen === Number(values[4]) ? null : 'amount_differs'
}

function codeOf (answer: Answer): string {
  if ('reply' in answer) return answerReasons[answer.reply.reason].iso8583
  if (answer.outcome === 'unknown') return hostReasons.unanswered.iso8583
  return hostReasons[/request_conflict/.test(answer.why) ? 'key_used' : 'refused'].iso8583
}

/** 00, 12 and 25 end it: what cannot be taken back any more stays, and is told so. */
function reversalCode (answer: Answer): string {
  if (!('reply' in answer)) return hostReasons.original_reversed.iso8583
  const { reason } = answer.reply
  if (reason === 'ok') return '00'
  return hostReasons[reason === 'original_unknown' ? 'original_missing' : 'original_reversed'].iso8583
}

const whyOf = (answer: Answer): string => 'reply' in answer ? answer.reply.reason : answer.why

/** Each byte of a DES key has an odd number of ones. */
const withParity = (key: Uint8Array): Uint8Array => key.map(byte => {
  let ones = 0
  for (let bit = 1; bit < 8; bit++) ones += byte >> bit & 1
  return byte & 0xfe | (ones + 1) & 1
})
