// A page of metrics as a scraper reads it, held against the table of the docs both ways.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'

export type Family = { readonly help: string, readonly type: string, readonly samples: Map<string, number> }

/** The text format 0.0.4, read line by line. Throws for what a scraper would refuse. */
export function parse (page: string): Map<string, Family> {
  const families = new Map<string, Family>()
  let open = ''
  if (!page.endsWith('\n')) throw new Error('the last line has no end')
  for (const line of page.slice(0, -1).split('\n')) {
    const [, keyword, name = '', words = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
    if (keyword === 'HELP') {
      if (families.has(name)) throw new Error(`${name} twice`)
      families.set(open = name, { help: words, type: '', samples: new Map() })
    } else if (keyword === 'TYPE') {
      const family = families.get(name)
      if (name !== open || family === undefined) throw new Error(`TYPE of ${name} out of place`)
      families.set(name, { ...family, type: words })
    } else {
      const [, sample = '', labels = '', value = ''] =
        /^([a-z_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)+\})? (-?[\d.e+-]+|NaN)$/.exec(line) ?? []
      const family = families.get(open)
      const stem = family?.type === 'histogram' ? sample.replace(/_(bucket|sum|count)$/, '') : sample
      if (stem !== open || family === undefined) throw new Error(`not a sample of ${open}: ${line}`)
      if (family.samples.has(sample + labels)) throw new Error(`${sample}${labels} twice`)
      family.samples.set(sample + labels, Number(value))
    }
  }
  return families
}

/** Every metric of a house is in its table, with its type, labels and words, and no other is. */
export function holdMetrics (t: Test, page: Map<string, Family>, house: 'ledger' | 'gateway'): void {
  for (const [name, { type, samples }] of page) {
    t.match(type, /^(counter|gauge|histogram)$/, name)
    t.equal(name.endsWith('_total'), type === 'counter', `${name}: counters end in _total, and nothing else`)
    if (type === 'histogram') checkHistogram(t, name, samples)
  }
  const told = rowsIn(docs[house])
  const shown = [...page].map(([name, { type, help }]) => [name, type, help])
  t.strictSame(told.map(([name, type, , help]) => [name, type, help]), shown,
    `docs/${docs[house]} tells each metric, and no other`)
  for (const [name = '', , labels = ''] of told) {
    const used = new Set([...page.get(name)?.samples.keys() ?? []].flatMap(key =>
      [...key.matchAll(/([a-z]+)="/g)].map(([, label = '']) => label)))
    used.delete('le')
    const promised = labels.split(', ').sort()
    if (used.size > 0) t.strictSame([...used].sort(), promised, `labels of ${name}`)
    else t.ok(labels === '' || page.get(name)?.samples.size === 0, `labels of ${name}`)
  }
}

const docs = { ledger: 'running.md', gateway: 'operation/gateway.md' } as const

/** Name, type, labels, words. */
function rowsIn (page: string): (string | undefined)[][] {
  const table = readFileSync(join(import.meta.dirname, '../../docs', page), 'utf8')
  return [...table.matchAll(/^\| `((?:ledger|gateway)_\w+)` \| (\w+) \| (.*?) \| (.+?) \| .*\|$/gm)]
    .map(([, ...cells]) => cells)
}

function checkHistogram (t: Test, name: string, samples: Map<string, number>): void {
  const series = [...samples.keys()].filter(key => key.startsWith(`${name}_count`))
  for (const key of series) {
    const labels = key.slice(`${name}_count`.length).replace(/[{}]/g, '')
    const inside = labels === '' ? '' : `${labels},`
    const buckets = [...samples].filter(([bucket]) => bucket.startsWith(`${name}_bucket{${inside}le=`))
    const counts = buckets.map(([, count]) => count)
    t.strictSame(counts, [...counts].sort((a, b) => a - b), `${name} is cumulative`)
    t.equal(counts.at(-1), samples.get(key), `${name}: le="+Inf" is the count`)
    t.match(buckets.at(-1)?.[0], /le="\+Inf"\}$/)
  }
}
