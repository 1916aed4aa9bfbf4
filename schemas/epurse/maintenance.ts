// What is done to a chip after it was made: orders as plain data, the key each is signed with, the finished
// command for the challenge of the chip, and what the chip finds in such a command. It refuses to know who
// gives orders, and where keys are.
import {
  blockApplication, blockCard, type Command, type Parsed, type RecordBy, reloadPin, type Sign, secured,
  unblockApplication, unblockPin, updateBinarySecured, updateRecordSecured, updateSelectedSecured,
  writeKeySecured
} from './apdu.ts'
import { equalConstantTime, unhex } from './hex.ts'
import { type KeyName, type KeyUsages, keyRecord, keyUsages } from './key-set.ts'
import {
  reloadPinMac, secureMessagingDecrypt, secureMessagingEncrypt, secureMessagingMac
} from './mac.ts'
import type { Suite } from './suite.ts'

/**
 * Bytes are hexadecimal text. New keys and PINs do not stand in an order: they go from who has them straight
 * into the command.
 */
export type Order =
  | { readonly order: 'block_application', readonly form: 'temporary' | 'permanent' }
  | { readonly order: 'unblock_application' }
  | { readonly order: 'block_card' }
  /** `sfi` null: the file that is selected. */
  | {
    readonly order: 'update_binary', readonly sfi: number | null, readonly offset: number,
    readonly data: string
  }
  | {
    readonly order: 'update_record', readonly sfi: number, readonly record: number, readonly by: RecordBy,
    readonly data: string
  }
  | {
    readonly order: 'write_key', readonly key: KeyName, readonly version: number,
    readonly algorithm: number
  }
  | { readonly order: 'unblock_pin' }
  | { readonly order: 'reload_pin' }
export type OrderName = Order['order']

export type OrderRule = { readonly key: KeyName, readonly challenge: boolean }
/** `challenge`: whether the chip must have given one just before. */
export const orderRules: Readonly<Record<OrderName, OrderRule>> = {
  block_application: { key: 'maintenance', challenge: true },
  unblock_application: { key: 'maintenance', challenge: true },
  block_card: { key: 'maintenance', challenge: true },
  update_binary: { key: 'maintenance', challenge: true },
  update_record: { key: 'maintenance', challenge: true },
  write_key: { key: 'master', challenge: true },
  unblock_pin: { key: 'pin_unblock', challenge: true },
  reload_pin: { key: 'pin_reload', challenge: false }
}

export type Signing = {
  readonly suite: Suite
  /** That `orderRules` names, of this card. */
  readonly key: Uint8Array
  /** Of the chip; of no use where the order wants none. */
  readonly challenge: Uint8Array
  /** The new key, or the PIN: of the orders that carry one. */
  readonly secret?: Uint8Array
  /** What does not stand in public sources, and so differs between deployments. */
  readonly numbers?: Partial<OrderNumbers>
}
export type OrderNumbers = {
  readonly pinId: number
  /** Where PIN UNBLOCK names the PIN: P1 by one manual, P2 by a fuel card. */
  readonly unblockNames: 'p1' | 'p2'
  readonly usages: KeyUsages
}
export const orderNumbers: OrderNumbers = { pinId: 0, unblockNames: 'p2', usages: keyUsages }

/** The finished command. Throws RangeError where a secret is missing or has the wrong length. */
export function signOrder (order: Order, { suite, key, challenge, secret, numbers }: Signing): Uint8Array {
  const { pinId, unblockNames, usages } = { ...orderNumbers, ...numbers }
  const sign: Sign = message => secureMessagingMac({ suite, key, challenge, message })
  const enciphered = (plain: Uint8Array) => secureMessagingEncrypt({ suite, key, plain })
  switch (order.order) {
    case 'block_application': return blockApplication(order.form, sign)
    case 'unblock_application': return unblockApplication(sign)
    case 'block_card': return blockCard(sign)
    case 'update_binary': return order.sfi === null
      ? updateSelectedSecured(order.offset, unhex(order.data), sign)
      : updateBinarySecured(order.sfi, order.offset, unhex(order.data), sign)
    case 'update_record':
      return updateRecordSecured(order.sfi, order.record, unhex(order.data), sign, order.by)
    case 'write_key': {
      const { version, algorithm } = order
      const plain = keyRecord({ usage: usages[order.key], version, algorithm, key16: wanted(secret) })
      return writeKeySecured(enciphered(plain), sign)
    }
    case 'unblock_pin': {
      const [p1, p2] = unblockNames === 'p1' ? [pinId, 0] : [0, pinId]
      return unblockPin(p1, p2, enciphered(pinOf(wanted(secret))), sign)
    }
    case 'reload_pin': {
      const pin = wanted(secret)
      return reloadPin(pinId, pin, reloadPinMac({ suite, drpk: key, pin }))
    }
  }
}

function wanted (secret: Uint8Array | undefined): Uint8Array {
  if (secret === undefined) throw new RangeError('this order carries a key or a PIN, and there is none')
  return secret
}

/* ---- what the chip finds ---- */

/** What {@link openSecured} needs of the chip. */
export type Opening = {
  readonly suite: Suite, readonly key: Uint8Array, readonly challenge: Uint8Array
  readonly field: 'clear' | 'enciphered'
}

/** The data of a command under secure messaging, or why there is none, in the order in which a chip looks. */
export function openSecured (
  { cla, ins, p1, p2, data }: Command, { suite, key, challenge, field }: Opening
): { readonly data: Uint8Array } | { readonly wrong: 'length' | 'mac' | 'cryptogram' } {
  if (data.length < macBytes) return { wrong: 'length' }
  const sent = data.subarray(0, -macBytes)
  const mac = data.subarray(-macBytes)
  const signed = secured(cla, ins, p1, p2, sent, message =>
    secureMessagingMac({ suite, key, challenge, message }))
  if (!equalConstantTime(mac, signed.subarray(-macBytes))) return { wrong: 'mac' }
  const plain = field === 'clear' ? sent : secureMessagingDecrypt({ suite, key, cryptogram: sent })
  return plain === null ? { wrong: 'cryptogram' } : { data: plain }
}
const macBytes = 4

/** RELOAD PIN: the new PIN, or null where the MAC behind it is another. */
export function openReload (
  data: Uint8Array, { suite, drpk }: { readonly suite: Suite, readonly drpk: Uint8Array }
): Uint8Array | null {
  const pin = data.subarray(0, -macBytes)
  return equalConstantTime(data.subarray(-macBytes), reloadPinMac({ suite, drpk, pin })) ? pin : null
}

/** CHANGE PIN: old, FF, new. A PIN is BCD, so the first FF stands between them. */
export function parseChangePin (
  data: Uint8Array
): Parsed<{ readonly old: Uint8Array, readonly next: Uint8Array }> {
  const at = data.indexOf(0xFF)
  const [old, next] = at < 0 ? [] : [data.slice(0, at), data.slice(at + 1)]
  if (old === undefined || next === undefined || !isPinLong(old) || !isPinLong(next)) {
    return { ok: false, error: 'CHANGE PIN: two PINs of 2 to 6 bytes with FF between them wanted' }
  }
  return { ok: true, old, next }
}

export const isPinLong = ({ length }: Uint8Array): boolean => length >= 2 && length <= 6

function pinOf (pin: Uint8Array): Uint8Array {
  if (isPinLong(pin)) return pin
  throw new RangeError(`a PIN has 2 to 6 bytes, not ${pin.length}`)
}

/* ---- what a command is ---- */

/** CLA and INS, and P1 where one INS is several commands. */
export const orderCommands: readonly { cla: number, ins: number, p1?: number, order: OrderName }[] = [
  { cla: 0x84, ins: 0x1E, order: 'block_application' },
  { cla: 0x84, ins: 0x18, order: 'unblock_application' },
  { cla: 0x84, ins: 0x16, order: 'block_card' },
  { cla: 0x04, ins: 0xD6, order: 'update_binary' },
  { cla: 0x04, ins: 0xDC, order: 'update_record' },
  { cla: 0x84, ins: 0xD4, order: 'write_key' },
  { cla: 0x84, ins: 0x24, order: 'unblock_pin' },
  { cla: 0x80, ins: 0x5E, p1: 0x00, order: 'reload_pin' }
]

/** Null for everything that is no order, such as a debit. */
export const orderIn = ({ cla, ins, p1 }: Pick<Command, 'cla' | 'ins' | 'p1'>): OrderName | null =>
  orderCommands.find(row => row.cla === cla && row.ins === ins && (row.p1 ?? p1) === p1)?.order ?? null
