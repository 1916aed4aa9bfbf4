// XML as banks exchange it: a small tree out of bytes, and text into XML. No document types, hence no
// entities of their own; nothing outside the document is ever read. Refuses to know what the elements mean.
import { SaxesParser } from 'saxes'
import { BankFileError } from './statement.ts'

export type XmlElement = {
  /** Without prefix. */
  readonly name: string
  readonly namespace: string
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
  /** Its own text, trimmed. */
  readonly text: string
}

const limits = { depthMax: 32, elementsMax: 1_000_000, attributesMax: 16 } as const

type Growing = {
  name: string, namespace: string, attributes: Map<string, string>, children: XmlElement[], text: string
}

/** The root. Throws BankFileError for what is not well-formed UTF-8 XML, is too deep, or declares a type. */
export function readXml (bytes: Uint8Array): XmlElement {
  const parser = new SaxesParser({ xmlns: true })
  const open: Growing[] = []
  let root: Growing | null = null
  let elements = 0
  const refuse = (what: string): never => {
    throw new BankFileError(`XML line ${parser.line}: ${what}`)
  }
  parser.on('error', error => refuse(error.message.replace(/^\d+:\d+: /, '')))
  parser.on('doctype', () => refuse('a document type is not accepted'))
  parser.on('xmldecl', ({ encoding }) => {
    if (encoding !== undefined && encoding.toUpperCase() !== 'UTF-8') refuse(`${encoding} is not UTF-8`)
  })
  parser.on('opentag', tag => {
    const attributes = Object.values(tag.attributes)
    if (++elements > limits.elementsMax) refuse(`more than ${limits.elementsMax} elements`)
    if (open.length >= limits.depthMax) refuse(`deeper than ${limits.depthMax} elements`)
    if (attributes.length > limits.attributesMax) refuse(`more than ${limits.attributesMax} attributes`)
    const element: Growing = {
      name: tag.local,
      namespace: tag.uri,
      // one with a prefix is somebody else's, whatever its name
      attributes: new Map(attributes.filter(({ prefix }) => prefix === '')
        .map(({ local, value }) => [local, value])),
      children: [],
      text: ''
    }
    open.at(-1)?.children.push(element)
    root ??= element
    open.push(element)
  })
  const addText = (text: string): void => {
    const element = open.at(-1)
    if (element !== undefined) element.text += text
  }
  parser.on('text', addText)
  parser.on('cdata', addText)
  parser.on('closetag', () => {
    const element = open.pop()
    if (element !== undefined) element.text = element.text.trim()
  })
  parser.write(decode(bytes)).close()
  return root ?? refuse('there is no element')
}

function decode (bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new BankFileError('the bytes are not UTF-8')
  }
}

/** Children with a name, in order. */
export const childrenOf = (element: XmlElement, name: string): XmlElement[] =>
  element.children.filter(child => child.name === name)

/** The first element at the end of a path of names, or null. */
export function at (element: XmlElement, ...path: readonly string[]): XmlElement | null {
  let here: XmlElement | undefined = element
  for (const name of path) here = here?.children.find(child => child.name === name)
  return here ?? null
}

/** Its text, or null where it is missing or empty. */
export function textAt (element: XmlElement, ...path: readonly string[]): string | null {
  const text = at(element, ...path)?.text ?? ''
  return text === '' ? null : text
}

/* ---- writing ---- */

/** `<name …>content</name>`; content is XML already: text goes through `escaped` first. */
export const element = (name: string, content: string, attributes = ''): string =>
  `<${name}${attributes === '' ? '' : ` ${attributes}`}>${content}</${name}>`

/** Text as content or attribute; characters that XML cannot carry are left out. */
export const escaped = (text: string): string =>
  carried(text).replace(/[&<>"'\r]/g, letter => escapes[letter] ?? letter)

/** What XML 1.0 can carry of it. */
export const carried = (text: string): string => [...text].filter(isXmlChar).join('')

const escapes: Readonly<Record<string, string>> =
  { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;', '\r': '&#13;' }

const isXmlChar = (char: string): boolean => {
  const code = char.codePointAt(0) ?? 0
  return code === 0x9 || code === 0xa || code === 0xd || (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) || code >= 0x1_0000
}
