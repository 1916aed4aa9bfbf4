// Where a value stands in the bytes of a JSON text, by its path: for showing raw evidence as it came. The
// text is taken to be JSON already; it refuses to know what is in it.

/** A place in bytes; `end` is the byte behind it. */
export type Slice = { readonly start: number, readonly end: number }

/** The value under keys and numbers of elements; null where there is none. */
export function sliceOf (json: Buffer, path: readonly (string | number)[]): Slice | null {
  // One character a byte: structure is ASCII, and whatever else stands inside strings is skipped.
  const text = json.toString('latin1')
  let found: Slice | null = valueAt(text, 0)
  for (const step of path) {
    found = found === null ? null : memberOf(text, found, step)
  }
  return found
}

function memberOf (text: string, { start }: Slice, step: string | number): Slice | null {
  const opens = text[start]
  if (opens !== '{' && opens !== '[') return null
  for (let at = skipBlank(text, start + 1), index = 0; text[at] !== '}' && text[at] !== ']'; index++) {
    let name: unknown = index
    if (opens === '{') {
      const key = valueAt(text, at)
      name = JSON.parse(text.slice(key.start, key.end))
      at = skipBlank(text, skipBlank(text, key.end) + 1)
    }
    const value = valueAt(text, at)
    if (name === step) return value
    at = skipBlank(text, value.end)
    if (text[at] === ',') at = skipBlank(text, at + 1)
  }
  return null
}

function valueAt (text: string, from: number): Slice {
  const start = skipBlank(text, from)
  if (text[start] === '"') return { start, end: stringEnd(text, start) }
  if (text[start] !== '{' && text[start] !== '[') {
    let end = start
    while (end < text.length && !/[\s,\]}]/.test(text[end] ?? '')) end++
    return { start, end }
  }
  for (let at = start, depth = 0; at < text.length; at++) {
    const one = text[at]
    if (one === '"') at = stringEnd(text, at) - 1
    else if (one === '{' || one === '[') depth++
    else if ((one === '}' || one === ']') && --depth === 0) return { start, end: at + 1 }
  }
  throw new RangeError('not JSON: it breaks off')
}

function stringEnd (text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
  throw new RangeError('not JSON: a text breaks off')
}

function skipBlank (text: string, from: number): number {
  let at = from
  while (/\s/.test(text[at] ?? '')) at++
  return at
}
