// Who asks, whether it is signed, and whether it may ask for such a thing now: decided before anything is
// done. It refuses to know what becomes of a request.
import { equalConstantTime, unhex } from '../../schemas/epurse/hex.ts'
import type { Iso8583Speaks, PosTerminal } from '../../schemas/iso8583/config.ts'
import { type Kind, kindOf, missingField, readField60 } from '../../schemas/iso8583/exchanges.ts'
import { type FieldValues, fieldName } from '../../schemas/iso8583/fields.ts'
import { macOf, type MacStyle, macStyles, unwrapKey } from '../../schemas/iso8583/mac.ts'
import type { Message } from '../../schemas/iso8583/message.ts'
import type { HostReason } from '../../schemas/reasons.ts'
import type { PortHouse } from '../face.ts'
import type { Wire } from '../wire/wire.ts'
import type { Book, KeptKey, TerminalState } from './book.ts'
import { clockOf, isBatchOver } from './decisions.ts'
import { next } from './session.ts'

/** A request whose sender is known and may ask for such a thing now. */
export type Admitted = {
  readonly kind: Kind
  readonly terminal: PosTerminal
  /** Master key of the terminal. */
  readonly master: Uint8Array
  readonly values: FieldValues
  readonly mti: string
  /** That signed it, and signs the answer; null where no signature is due. */
  readonly key: Uint8Array | null
}
export type Refused = { readonly reason: HostReason, readonly why: string, readonly key?: Uint8Array | null }

export type Admission = {
  /** The order of the checks is that of the reasons. */
  admit (message: Message, body: Uint8Array, wire: Pick<Wire, 'certificate'>): Admitted | Refused
}

export type AdmissionSettings = {
  readonly mac: MacStyle
  readonly macKeyBytes: number
  readonly unsigned: readonly string[]
  readonly terminals: Iso8583Speaks['terminals']
}

export function openAdmission (settings: AdmissionSettings, house: PortHouse, book: Book): Admission {
  const { suite } = macStyles[settings.mac]
  const configured = new Map(settings.terminals.map(one => [one.terminal, one]))

  function admit (
    { mti, fields: values }: Message, body: Uint8Array, wire: Pick<Wire, 'certificate'>
  ): Admitted | Refused {
    const kind = kindOf(mti, values)
    if (kind === null) return { reason: 'kind_unknown', why: `${mti}, field 60: ${values[60] ?? 'none'}` }
    const missing = missingField(kind, values)
    if (missing !== null) return { reason: 'unreadable', why: `${fieldName(missing)} is missing` }
    const named = (values[41] ?? '').trimEnd()
    const terminal = configured.get(named)
    if (terminal === undefined) return { reason: 'terminal_unknown', why: `${named} is not configured here` }
    const found = house.terminals.find(named, terminal.operator)
    if (!found.ok) return { reason: 'terminal_unknown', why: found.why }
    const stranger = house.guard.stranger(wire, terminal)
    if (stranger !== null) return { reason: 'terminal_unknown', why: stranger }
    const master = house.masterKey(found.terminal)
    if (master?.suite !== suite) {
      return { reason: 'terminal_unknown', why: `no master key of ${named} for ${suite}` }
    }
    if ((values[42] ?? '').trimEnd() !== terminal.merchant) {
      return { reason: 'merchant_wrong', why: `${named} is not a terminal of that merchant` }
    }
    const state = book.of(named)
    const signed = signedBy({ state, terminal, master: master.key, mti, values, body })
    if (signed !== null && 'reason' in signed) return signed
    const key = signed?.key ?? null
    // Whoever does not sign could use up what is the terminal's.
    const busy = key === null ? null : house.guard.tooBusy(terminal)
    if (busy !== null) return { reason: 'too_busy', why: busy, key }
    const clockMs = key === null ? null : clockOf(values, house.clock.now())
    house.terminals.heard(found.terminal, clockMs === null ? {} : { clockMs })
    const { session } = book.of(named)
    if (next[session][kind] === undefined) {
      const reason = session === 'uploading' ? 'upload_first' : 'sign_in_first'
      return { reason, why: `${kind} while ${session}`, key }
    }
    const { batch } = readField60(values[60] ?? '')
    if (isBatchOver(state, kind, batch)) return { reason: 'batch_over', why: `batch ${batch}`, key }
    return { kind, terminal, master: master.key, values, mti, key }
  }

  type Signing = {
    readonly state: TerminalState, readonly terminal: PosTerminal, readonly master: Uint8Array
    readonly mti: string, readonly values: FieldValues, readonly body: Uint8Array
  }

  /** The key that signed it; null where none is due and none is there. */
  function signedBy (
    { state, terminal: { terminal, operator }, master, mti, values, body }: Signing
  ): { readonly key: Uint8Array } | Refused | null {
    const isOpen = settings.unsigned.includes(mti)
    const isDue = mti !== '0800' && mti !== '0820' && !isOpen
    if (!isDue && values[64] === undefined) {
      const last = state.pending.at(-1)
      if (isOpen && last !== undefined) accept(terminal, last) // who never signs cannot show that it has it
      return null
    }
    const kept: KeptKey[] = [...state.pending, ...state.current === null ? [] : [state.current]]
    if (kept.length === 0) return isDue ? { reason: 'sign_in_first', why: 'no working key' } : null
    const told = unhex(values[64] ?? '')
    for (const one of kept) {
      const key = macKeyUnder(master, one)
      if (!equalConstantTime(told, macOf(settings.mac, key, body.subarray(0, -8)))) continue
      if (one !== state.current) accept(terminal, one)
      house.terminals.clear({ operator, terminal }, 'keys_refused')
      return { key }
    }
    if (!isDue) return null
    house.terminals.raise({ operator, terminal }, 'keys_refused')
    const why = values[64] === undefined ? 'not signed' : 'signed with another key, or changed'
    return { reason: 'mac_wrong', why }
  }

  /** On disk with whatever this message leads to. */
  const accept = (terminal: string, { wrapped }: KeptKey): void => {
    void book.change(terminal, { accepted: wrapped }).catch(() => undefined)
  }

  const macKeyUnder = (master: Uint8Array, { wrapped }: KeptKey): Uint8Array =>
    unwrapKey(master, unhex(wrapped), suite).subarray(0, suite === 'sm4' ? 16 : settings.macKeyBytes)

  return { admit }
}
