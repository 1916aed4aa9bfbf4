// How deep a JSON text is nested, before anybody walks into it: what checks, hashes or writes a value calls
// itself once for each level, and hundreds of thousands are more than a stack holds.

const [quote, escape] = [0x22, 0x5C]
const [opens, closes] = [new Set([0x5B, 0x7B]), new Set([0x5D, 0x7D])]

/** Structure is ASCII in UTF-8, whatever stands in strings; of what is no JSON any answer will do. */
export function isDeeper (json: Uint8Array, levels: number): boolean {
  let depth = 0
  let inString = false
  for (let at = 0; at < json.length; at++) {
    const byte = json[at] as number
    if (inString) {
      if (byte === escape) at++
      else if (byte === quote) inString = false
    } else if (byte === quote) {
      inString = true
    } else if (opens.has(byte)) {
      if (++depth > levels) return true
    } else if (closes.has(byte)) {
      depth--
    }
  }
  return false
}
