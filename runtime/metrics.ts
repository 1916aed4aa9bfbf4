// Counters, gauges and histograms, and their page in the Prometheus text format 0.0.4.
// Knows no domain, no HTTP and no clock: whoever measures passes the figure in.

export type Labels = Readonly<Record<string, string | number>>

export type Counter = { add (labels?: Labels, by?: number): void }
export type Gauge = {
  set (value: number, labels?: Labels): void
  /** Nothing to show any more, until it is set again. */
  clear (): void
}
export type Histogram = { observe (value: number, labels?: Labels): void }

/** Asked for each page: one figure, or one for each set of labels. */
export type Read = () => number | readonly (readonly [Labels, number])[]

export type Metrics = {
  /** `read` as with a gauge, where somebody else counts. */
  counter (name: string, help: string, read?: Read): Counter
  gauge (name: string, help: string, read?: Read): Gauge
  histogram (name: string, help: string, bounds: readonly number[]): Histogram
  /** The whole page; answer it as `text/plain; version=0.0.4`. */
  render (): string
}

/** A name can be registered once; a second time throws, so that two meanings never share a line. */
export function createMetrics (): Metrics {
  const families = new Map<string, () => string[]>()
  const register = (name: string, help: string, type: string, lines: () => string[]) => {
    if (!/^[a-z_][a-z0-9_]*$/.test(name)) throw new Error(`not a metric name: ${name}`)
    if (families.has(name)) throw new Error(`metric registered twice: ${name}`)
    families.set(name, () => [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`, ...lines()])
  }
  return {
    counter (name, help, read) {
      const values = new Map<string, number>()
      register(name, help, 'counter', () =>
        read === undefined ? samples(name, values) : readSamples(name, read()))
      return { add: (labels, by = 1) => raise(values, labelText(labels), by) }
    },
    gauge (name, help, read) {
      const values = new Map<string, number>()
      const lines = () => read === undefined ? samples(name, values) : readSamples(name, read())
      register(name, help, 'gauge', lines)
      return {
        set: (value, labels) => { values.set(labelText(labels), value) },
        clear: () => { values.clear() }
      }
    },
    histogram (name, help, bounds) {
      const series = new Map<string, Buckets>()
      const lines = () => [...series].flatMap(([labels, each]) => bucketLines(name, labels, bounds, each))
      register(name, help, 'histogram', lines)
      return { observe: (value, labels) => observe(series, labelText(labels), bounds, value) }
    },
    render: () => [...families.values()].flatMap(lines => lines()).join('\n') + '\n'
  }
}

type Buckets = { counts: number[], sum: number, count: number }

function raise (values: Map<string, number>, labels: string, by: number): void {
  if (!(by >= 0)) throw new RangeError(`a counter only grows: ${by}`)
  values.set(labels, (values.get(labels) ?? 0) + by)
}

function observe (
  series: Map<string, Buckets>, labels: string, bounds: readonly number[], value: number
): void {
  const buckets = series.get(labels) ?? { counts: bounds.map(() => 0), sum: 0, count: 0 }
  series.set(labels, buckets)
  buckets.sum += value
  buckets.count += 1
  const index = bounds.findIndex(bound => value <= bound)
  if (index >= 0) buckets.counts[index] = (buckets.counts[index] ?? 0) + 1
}

const samples = (name: string, values: Map<string, number>): string[] =>
  [...values].map(([labels, value]) => `${name}${braced(labels)} ${value}`)

/** Buckets are cumulative on the page and plain in memory. */
function bucketLines (name: string, labels: string, bounds: readonly number[], buckets: Buckets): string[] {
  const prefix = labels === '' ? '' : `${labels},`
  let below = 0
  const lines = bounds.map((bound, index) => {
    below += buckets.counts[index] ?? 0
    return `${name}_bucket{${prefix}le="${bound}"} ${below}`
  })
  return [
    ...lines,
    `${name}_bucket{${prefix}le="+Inf"} ${buckets.count}`,
    `${name}_sum${braced(labels)} ${buckets.sum}`,
    `${name}_count${braced(labels)} ${buckets.count}`
  ]
}

const readSamples = (name: string, found: number | readonly (readonly [Labels, number])[]): string[] =>
  typeof found === 'number'
    ? [`${name} ${found}`]
    : samples(name, new Map(found.map(([labels, value]) => [labelText(labels), value])))

const braced = (labels: string): string => labels === '' ? '' : `{${labels}}`

/** Sorted by name, so that the same labels in another order are the same series. */
const labelText = (labels: Labels = {}): string =>
  Object.keys(labels).sort().map(name => `${name}="${escapeLabel(String(labels[name]))}"`).join(',')

const escapeLabel = (text: string): string => escapeHelp(text).replace(/"/g, '\\"')
const escapeHelp = (text: string): string => text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')
