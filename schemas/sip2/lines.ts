// Where one message ends and the next begins: CR, LF or both; split and glued as the wire brings them. It
// refuses to know what a message says.

export type Lines = {
  /** Whole messages without their ends; `overlong` where one was longer than anybody's: it is dropped. */
  push (bytes: Uint8Array): Line[]
  /** Bytes of a message that is not whole yet. */
  waiting (): number
}
export type Line = { readonly line: Uint8Array } | { readonly overlong: number }

/** Longest message: a reader with a hundred loans and long titles stays far below. */
export const lineBytesMax = 64 * 1_024

export function lineCutter (bytesMax = lineBytesMax): Lines {
  let kept: Uint8Array[] = []
  let length = 0
  let dropped = 0

  function push (bytes: Uint8Array): Line[] {
    const lines: Line[] = []
    let start = 0
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] !== cr && bytes[at] !== lf) continue
      keep(bytes.subarray(start, at))
      const line = take()
      if (line !== null) lines.push(line)
      start = at + 1
    }
    keep(bytes.subarray(start))
    return lines
  }
  function keep (bytes: Uint8Array): void {
    if (bytes.length === 0) return
    if (dropped > 0 || length + bytes.length > bytesMax) {
      dropped += length + bytes.length
      kept = []
      length = 0
      return
    }
    kept.push(Uint8Array.from(bytes)) // the carrier may use its memory again
    length += bytes.length
  }
  /** Null for nothing between two ends, as CR and LF make it. */
  function take (): Line | null {
    const line = dropped > 0 ? { overlong: dropped } : length === 0 ? null : { line: Buffer.concat(kept) }
    kept = []
    length = 0
    dropped = 0
    return line
  }
  return { push, waiting: () => length }
}

const cr = 0x0D
const lf = 0x0A
