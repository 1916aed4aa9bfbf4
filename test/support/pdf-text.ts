// The text of a PDF that Chromium has printed, without blanks: enough of the format (ISO 32000-1, 7 and 9.10)
// to hold what is on paper against what was on the screen.
import { inflateSync } from 'node:zlib'

export function pdfText (pdf: Uint8Array): { readonly pages: number, readonly text: string } {
  const objects = objectsOf(Buffer.from(pdf).toString('latin1'))
  const pages = [...objects.values()].filter(({ head }) => /\/Type\s*\/Page\b/.test(head))
  return { pages: pages.length, text: plain(pages.map(page => textOf(page, objects)).join('')) }
}

/**
 * A glyph that is a character and a radical too is told as the radical: the same shape, another code. Text to
 * be held against that of a PDF goes the same way.
 */
export const plain = (text: string): string =>
  text.normalize('NFKC').replace(/\s/g, '').replace(/[⺠戶⻚]/gu, one => simplified[one] ?? one)
/** Radicals that Unicode does not call the same as their characters. */
const simplified: Readonly<Record<string, string>> = { '⺠': '民', 戶: '户', '⻚': '页' }

type PdfObject = { readonly head: string, readonly stream: string | null }
type Objects = ReadonlyMap<string, PdfObject>

function objectsOf (text: string): Objects {
  const found = new Map<string, PdfObject>()
  for (const [, name = '', body = ''] of text.matchAll(/(\d+) 0 obj\s([\s\S]*?)\sendobj/g)) {
    const [head = '', rest] = body.split(/stream\r?\n/, 2)
    found.set(name, { head, stream: rest === undefined ? null : contentOf(head, rest) })
  }
  return found
}

function contentOf (head: string, rest: string): string {
  const bytes = Buffer.from(rest.slice(0, rest.lastIndexOf('endstream')), 'latin1')
  return head.includes('/FlateDecode') ? inflateSync(bytes).toString('latin1') : bytes.toString('latin1')
}

function textOf ({ head }: PdfObject, objects: Objects): string {
  const [, contents = ''] = /\/Contents (\d+) 0 R/.exec(head) ?? []
  const fonts = new Map([...resourcesOf(head, objects).matchAll(/\/(F\d+) (\d+) 0 R/g)]
    .map(([, name = '', of = '']) => [name, fontOf(objects.get(of)?.head ?? '', objects)]))
  let { digits, glyphs } = noFont
  let text = ''
  const shown = /\/(F\d+) [\d.]+ Tf|<([\dA-Fa-f]+)>/g
  for (const [, font, hex = ''] of (objects.get(contents)?.stream ?? '').matchAll(shown)) {
    if (font !== undefined) ({ digits, glyphs } = fonts.get(font) ?? noFont)
    for (let at = 0; at < hex.length; at += digits) {
      text += glyphs.get(Number.parseInt(hex.slice(at, at + digits), 16)) ?? ''
    }
  }
  return text
}

function resourcesOf (head: string, objects: Objects): string {
  const [, of] = /\/Resources (\d+) 0 R/.exec(head) ?? []
  const resources = of === undefined ? head : objects.get(of)?.head ?? ''
  const [, fonts] = /\/Font (\d+) 0 R/.exec(resources) ?? []
  return fonts === undefined ? resources : objects.get(fonts)?.head ?? ''
}

/** How many digits of a string are one glyph, and what each glyph says. */
type Font = { readonly digits: number, readonly glyphs: ReadonlyMap<number, string> }
const noFont: Font = { digits: 4, glyphs: new Map() }

/** Fonts of type 3 have one byte a glyph; Chromium makes such of what it may not embed otherwise. */
function fontOf (font: string, objects: Objects): Font {
  const [, of = ''] = /\/ToUnicode (\d+) 0 R/.exec(font) ?? []
  const map = objects.get(of)?.stream ?? ''
  const found = new Map<number, string>()
  const at = (hex: string) => Number.parseInt(hex, 16)
  const said = (hex: string, step = 0) => Buffer.from(hex, 'hex').swap16().toString('utf16le')
    .replace(/.$/su, last => String.fromCodePoint((last.codePointAt(0) ?? 0) + step))
  for (const [, block = ''] of map.matchAll(/beginbfchar([\s\S]*?)endbfchar/g)) {
    for (const [, glyph = '', text = ''] of block.matchAll(/<(\w+)>\s*<(\w+)>/g)) {
      found.set(at(glyph), said(text))
    }
  }
  for (const [, block = ''] of map.matchAll(/beginbfrange([\s\S]*?)endbfrange/g)) {
    for (const [, from = '', to = '', text = ''] of block.matchAll(/<(\w+)>\s*<(\w+)>\s*<(\w+)>/g)) {
      for (let glyph = at(from); glyph <= at(to); glyph++) found.set(glyph, said(text, glyph - at(from)))
    }
  }
  return { digits: font.includes('/Type3') ? 2 : 4, glyphs: found }
}
