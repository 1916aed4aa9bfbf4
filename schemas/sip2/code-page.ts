// Characters as the terminals of a library send them: any encoding the platform can decode, read backwards
// for writing. It refuses to know messages.

/** Names of the WHATWG Encoding Standard. All of them leave ASCII as it is. */
export const codePages = ['utf-8', 'gbk', 'gb18030', 'big5'] as const
export type CodePageName = typeof codePages[number]

export type CodePage = {
  readonly name: CodePageName
  /** What cannot be read becomes U+FFFD. */
  decode (bytes: Uint8Array): string
  /** What cannot be written becomes a question mark. */
  encode (text: string): Uint8Array
}

export function codePage (name: CodePageName): CodePage {
  const decoder = new TextDecoder(name)
  return {
    name,
    decode: bytes => decoder.decode(bytes),
    encode: name === 'utf-8'
      ? text => Buffer.from(text, 'utf8')
      : text => Buffer.from([...text].flatMap(character => bytesOf(name, character)))
  }
}

const bytesOf = (name: CodePageName, character: string): readonly number[] =>
  character < '\x80' ? [character.charCodeAt(0)] : backwards(name).get(character) ?? [0x3F]

const tables = new Map<CodePageName, ReadonlyMap<string, readonly number[]>>()

/** Characters of one and two bytes, by decoding every pair there is: 30 ms, once. */
function backwards (name: CodePageName): ReadonlyMap<string, readonly number[]> {
  const known = tables.get(name)
  if (known !== undefined) return known
  const table = new Map<string, readonly number[]>()
  const decoder = new TextDecoder(name)
  const learn = (bytes: readonly number[]): void => {
    const text = decoder.decode(Uint8Array.from(bytes))
    if ([...text].length === 1 && text !== '\uFFFD' && !table.has(text)) table.set(text, bytes)
  }
  for (let first = 0x80; first < 0x100; first++) learn([first])
  for (let first = 0x81; first < 0xFF; first++) {
    for (let second = 0x40; second < 0xFF; second++) learn([first, second])
  }
  tables.set(name, table)
  return table
}
