// Frames of a polled multi-drop line: address, code, length, payload, sum and exclusive-or of all before. A
// poll is a single byte, the address with its top bit set. Pure; it refuses to know what the codes mean.

export const polledLimits = { payloadBytesMax: 255, addressMax: 127 } as const

export type PolledFrame = { readonly address: number, readonly code: number, readonly payload: Uint8Array }
export type PolledCut =
  | { readonly ok: true, readonly frame: PolledFrame, readonly rest: Uint8Array }
  /** `at`: offset of the byte that is wrong. What follows cannot be told apart: it goes too. */
  | { readonly ok: false, readonly why: 'no_address' | 'sum_wrong' | 'xor_wrong', readonly at: number }

export const pollByte = (address: number): number => 0x80 | address

/** The first frame and what is left, or null while bytes are missing. */
export function cutPolled (bytes: Uint8Array): PolledCut | null {
  const [address, code, length] = bytes
  if (address === undefined) return null
  if (address === 0 || address > polledLimits.addressMax) return { ok: false, why: 'no_address', at: 0 }
  if (code === undefined || length === undefined) return null
  const end = 3 + length
  if (bytes.length < end + 2) return null
  const [sum, xor] = checkBytes(bytes.subarray(0, end))
  if (bytes[end] !== sum) return { ok: false, why: 'sum_wrong', at: end }
  if (bytes[end + 1] !== xor) return { ok: false, why: 'xor_wrong', at: end + 1 }
  const payload = bytes.subarray(3, end)
  return { ok: true, frame: { address, code, payload }, rest: bytes.subarray(end + 2) }
}

/** Throws RangeError where a part does not fit. */
export function buildPolled ({ address, code, payload }: PolledFrame): Uint8Array {
  if (!(address >= 1 && address <= polledLimits.addressMax)) throw new RangeError(`no address: ${address}`)
  if (payload.length > polledLimits.payloadBytesMax) {
    throw new RangeError(`a frame holds ${polledLimits.payloadBytesMax} bytes, not ${payload.length}`)
  }
  const head = Uint8Array.of(address, code, payload.length, ...payload)
  return Uint8Array.of(...head, ...checkBytes(head))
}

function checkBytes (bytes: Uint8Array): readonly [number, number] {
  let sum = 0
  let xor = 0
  for (const byte of bytes) {
    sum = (sum + byte) & 0xff
    xor ^= byte
  }
  return [sum, xor]
}
