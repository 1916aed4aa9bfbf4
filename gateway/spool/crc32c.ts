// CRC-32C (Castagnoli), as in RFC 3720 appendix B.4: reflected polynomial 82F63B78, start and final value all
// ones. Node 20.11 has no CRC of its own yet.

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
  return value >>> 0
})

/** The checksum of `bytes` from `start` to before `end`, 0 to 2³²−1. */
export function crc32c (bytes: Uint8Array, start = 0, end = bytes.length): number {
  let value = 0xffff_ffff
  for (let at = start; at < end; at++) value = (table[(value ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (value >>> 8)
  return (value ^ 0xffff_ffff) >>> 0
}
