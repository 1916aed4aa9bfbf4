// Chinese text of two bytes a character, as cards carry it. The platform decodes it; the way back is the same
// table turned round.

export const fromGbk = (bytes: Uint8Array): string => new TextDecoder('gbk').decode(bytes)

let codes: ReadonlyMap<string, number> | null = null

/** Throws RangeError naming a character that GBK does not have. */
export function toGbk (text: string): Uint8Array {
  codes ??= turnedRound()
  const bytes: number[] = []
  for (const character of text) {
    const code = character.charCodeAt(0) < 0x80 ? character.charCodeAt(0) : codes.get(character)
    if (code === undefined) throw new RangeError(`GBK has no ${character}`)
    bytes.push(...code > 0xff ? [code >> 8, code & 0xff] : [code])
  }
  return Uint8Array.from(bytes)
}

function turnedRound (): Map<string, number> {
  const table = new Map<string, number>()
  for (let high = 0x81; high <= 0xfe; high++) {
    for (let low = 0x40; low <= 0xfe; low++) {
      const character = low === 0x7f ? '' : fromGbk(Uint8Array.of(high, low))
      if ([...character].length === 1 && character !== '\uFFFD' && !table.has(character)) {
        table.set(character, high << 8 | low)
      }
    }
  }
  return table
}
