// GTFS fares as tariff documents: a feed of our own in each version, feeds that are broken in one place, and
// where it is at hand a public one.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import type { FeedFiles } from '../schemas/gtfs/files.ts'
import { importFeed, type Imported, type ImportSettings } from '../schemas/gtfs/import-feed.ts'
import { hundredths } from '../schemas/gtfs/values.ts'
import { tellWarning, warningTexts } from '../schemas/gtfs/warnings.ts'
import { checkDocument } from '../schemas/tariff/check-document.ts'
import { faresOf, type Fares } from '../schemas/tariff/fares.ts'
import { priceCard } from '../schemas/tariff/price-card.ts'
import { passOf, quote } from '../schemas/tariff/quote.ts'
import { at, gate, history } from '../bench/fares/city.ts'

const settings: ImportSettings = {
  version: 1, from: '2026-01-01T00:00:00+08:00', operator: 'BUS', openMinutesMax: 180,
  transitDay: { startsAtMinute: 270, crossing: 'start' }, duplicateTapSeconds: 5
}

const readFeed = (dir: string): FeedFiles => Object.fromEntries(readdirSync(dir)
  .filter(name => name.endsWith('.txt') && name !== 'LICENSE.txt')
  .map(name => [name, readFileSync(join(dir, name), 'utf8')]))
const feedDir = (name: string): string => join(import.meta.dirname, 'feeds', name)
const hengyang = readFeed(feedDir('hengyang'))
const older = readFeed(feedDir('hengyang-v1'))

const faresIn = ({ document }: Imported): Fares => {
  if (document === null) throw new Error('no document')
  return faresOf([document])
}
const told = ({ warnings }: Imported): string[] => warnings.map(({ code }) => code)

/** The same feed with a file that is changed, or gone. */
const changed = (files: FeedFiles, file: string, change: (text: string) => string): Imported =>
  importFeed({ ...files, [file]: change(files[file] ?? '') }, settings)

t.test('Fares v2', async t => {
  const imported = importFeed(hengyang, settings)
  t.strictSame(told(imported), ['media_left_out', 'blank_trimmed', 'product_as_pass', 'incomplete_assumed',
    'not_in_gtfs'])
  const fares = faresIn(imported)
  const price = (line: string, from: string, to: string, more: { class?: string, local?: string } = {}) => {
    const { local = '2026-03-02 08:00:00', ...rest } = more
    return quote(fares, { operator: 'BUS', line, from, to, atMs: at(local), ...rest })?.amountFen ?? null
  }
  const rows = [
    ['with a card, not in cash', price('101', 'jiefang', 'huaxin'), 180],
    ['a student', price('101', 'jiefang', 'huaxin', { class: 'student' }), 100],
    ['into the suburb', price('102', 'huaxin', 'nanyue'), 300],
    ['and back, a student', price('102', 'nanyue', 'huaxin', { class: 'student' }), 150],
    ['to a platform of a station', price('101', 'jiefang', 'east-2'), 180],
    ['a stop without an area', price('101', 'jiefang', 'depot'), null],
    ['by rail', price('R1', 'jiefang', 'depot'), 400],
    ['off peak', price('R1', 'jiefang', 'nanyue', { local: '2026-03-02 09:30:00' }), 300],
    ['off peak is over', price('R1', 'jiefang', 'nanyue', { local: '2026-03-02 16:30:00' }), 400],
    ['a Saturday', price('R1', 'jiefang', 'nanyue', { local: '2026-03-07 10:00:00' }), 400],
    ['another line', price('9', 'jiefang', 'huaxin'), null]
  ] as const
  for (const [what, found, expected] of rows) t.equal(found, expected, what)
  const document = imported.document ?? { passes: [] }
  t.match([passOf(document as never, 'ordinary'), passOf(document as never, 'student')],
    [{ id: 'month', priceFen: 6_000 }, { id: 'month', priceFen: 3_000 }])
  const ride = (counter: number, line: string, from: string, to: string, time: string, end: string) => [
    gate(counter, `2026-03-02 ${time}`, 'in', from, { operator: 'BUS', line }),
    gate(counter + 1, `2026-03-02 ${end}`, 'out', to, { operator: 'BUS', line })
  ]
  const { journeys } = priceCard(fares, history([
    ...ride(1, '101', 'jiefang', 'huaxin', '07:00:00', '07:20:00'),
    ...ride(3, '102', 'huaxin', 'nanyue', '07:30:00', '07:50:00'),
    ...ride(5, 'R1', 'nanyue', 'jiefang', '08:00:00', '08:30:00'),
    ...ride(7, '101', 'jiefang', 'huaxin', '08:30:01', '08:40:00')]))
  t.strictSame(journeys.map(({ amountFen }) => amountFen), [180, 0, 300, 180],
    'free, one yuan less, too late')
})

t.test('an empty cell means what no other rule names, or with priorities anything', async t => {
  const ask = (rules: string, line: string, name = 'ordinary') => {
    const fares = faresIn(changed(hengyang, 'fare_leg_rules.txt', () => rules))
    const question = { operator: 'BUS', line, from: null, to: null, atMs: at('2026-03-02 08:00:00') }
    return quote(fares, { ...question, class: name })?.amountFen ?? null
  }
  const plain = 'network_id,fare_product_id\nbus,outer\n,rail\n'
  t.strictSame([ask(plain, '101'), ask(plain, '101', 'student'), ask(plain, 'R1'), ask(plain, '9')],
    [300, 150, 400, null])
  const prioritised = 'network_id,fare_product_id,rule_priority\nbus,outer,\n,inner,\n'
  t.strictSame([ask(prioritised, '101'), ask(prioritised, 'R1'), ask(prioritised, '9')], [180, 180, 180],
    'the cheaper of both')
})

t.test('Fares v1', async t => {
  const imported = importFeed(older, settings)
  t.strictSame(told(imported), ['window_assumed', 'incomplete_assumed', 'not_in_gtfs'])
  const fares = faresIn(imported)
  const price = (line: string, from: string, to: string) =>
    quote(fares, { operator: 'BUS', line, from, to, atMs: at('2026-03-02 08:00:00') })?.amountFen ?? null
  t.strictSame([price('101', 'jiefang', 'huaxin'), price('102', 'jiefang', 'nanyue'),
    price('102', 'nanyue', 'huaxin'), price('R1', 'nanyue', 'nanyue'), price('101', 'jiefang', 'nanyue')],
  [200, 350, 350, 600, null])
  const transfers = imported.document?.transfers?.map(({ from, transfersMax, windowSeconds, measured }) =>
    [from, transfersMax, windowSeconds, measured])
  t.strictSame(transfers, [['near', 1, 3_600, 'start_end'], ['rail', undefined, 86_400, 'start_end']])
  const flat = changed(older, 'fare_rules.txt', () => 'fare_id,route_id\nnear,101\nfar,102\nrail,R1\n')
  t.strictSame(flat.document?.services.map(({ fare }) => fare.kind), ['flat', 'flat', 'flat'],
    'no zones: no tapping out')
  const boarding = { operator: 'BUS', line: '102', from: null, to: null, atMs: at('2026-03-02 08:00:00') }
  t.equal(quote(faresIn(flat), boarding)?.amountFen, 350)
})

t.test('feeds that are broken', async t => {
  const rows: [string, FeedFiles, string, (text: string) => string, string][] = [
    ['a product that is not there', hengyang, 'fare_leg_rules.txt',
      text => text.replace(',inner,', ',innner,'),
      'fare_leg_rules.txt:2: fare_product_id “innner” is not in fare_products.txt; the row is left out'],
    ['an area that is not there', hengyang, 'stop_areas.txt',
      text => text.replace('urban,jiefang', 'uban,jiefang'),
      'stop_areas.txt:2: area_id “uban” is not in areas.txt; the row is left out'],
    ['an amount that is none', hengyang, 'fare_products.txt',
      text => text.replace('3.00,CNY', '3,00 yuan,CNY'),
      'fare_products.txt:5: 7 cells where the header has 6; the row is left out'],
    ['a third decimal', hengyang, 'fare_products.txt', text => text.replace('4.00', '4.005'),
      'fare_products.txt:7: amount cannot be “4.005”; the row is left out'],
    ['a row twice', hengyang, 'fare_products.txt',
      text => text.replace('rail,城际,adult,card,4.00,CNY\n', line => line + line),
      'fare_products.txt:8: the same key as line 7; the row is left out'],
    ['another currency', hengyang, 'fare_products.txt', text => text.replace('60.00,CNY', '60.00,HKD'),
      'fare_products.txt:10: currency HKD where the others have CNY; the row is left out'],
    ['a column nobody knows', hengyang, 'areas.txt', text => text.replace('area_name', 'name'),
      'areas.txt:1: the column name is not in the standard; it is not read'],
    ['a column that is missing', hengyang, 'fare_products.txt', text => text.replace('amount', 'price'),
      'fare_products.txt:1: the column amount is missing'],
    ['an open quotation mark', hengyang, 'areas.txt', text => text.replace('urban,', 'urban,"'),
      'areas.txt:2: a quotation mark is not closed or stands in a cell'],
    ['blanks', hengyang, 'networks.txt', text => text.replace('bus,', 'bus ,'),
      'networks.txt:2: blanks around network_id are removed'],
    ['two defaults', hengyang, 'rider_categories.txt', text => text.replace('学生,0', '学生,1'),
      'rider_categories.txt: 2 default rider categories; there should be one'],
    ['a transfer of a group that is not there', hengyang, 'fare_transfer_rules.txt',
      text => text.replace('bus,bus', 'bus,tram'),
      'fare_transfer_rules.txt:2: no leg rule has the group tram of this transfer; the row is left out'],
    ['a transfer type that is none', hengyang, 'fare_transfer_rules.txt',
      text => text.replace('3600,1,0,', '3600,1,7,'),
      'fare_transfer_rules.txt:2: fare_transfer_type cannot be “7”; the row is left out'],
    ['a time that is none', hengyang, 'timeframes.txt', text => text.replace('09:30:00', '9h30'),
      'timeframes.txt:2: start_time cannot be “9h30”; the row is left out'],
    ['exceptions of a calendar', hengyang, 'calendar_dates.txt',
      () => 'service_id,date,exception_type\nworkdays,20260501,2\n',
      'timeframes.txt:2: timeframe off_peak: the exceptions of workdays in calendar_dates.txt are not read'],
    ['a zone with summer time', hengyang, 'agency.txt',
      text => text.replace('Asia/Shanghai', 'Europe/Warsaw'),
      'agency.txt:2: Europe/Warsaw has summer time; the document has one offset, 60 minutes: import again'],
    ['a zone that is none', hengyang, 'agency.txt', text => text.replace('Asia/Shanghai', 'China'),
      'agency.txt:2: time zone “China” is not known; UTC+8 is taken'],
    ['zones passed through', older, 'fare_rules.txt', text => text.replace('far,102,A,B,', 'far,102,A,B,A'),
      'fare_rules.txt:4: contains_id needs zones on the way, which taps do not tell; the row is left out'],
    ['too many transfers', older, 'fare_attributes.txt', text => text.replace('0,1,3600', '0,unlimited,3600'),
      'fare_attributes.txt:2: transfers cannot be “unlimited”; the row is left out'],
    ['both versions', { ...older, ...hengyang }, 'feed_info.txt', text => text,
      'fare_attributes.txt: Fares v2 is there; fare_attributes.txt is not read']
  ]
  for (const [what, files, file, change, expected] of rows) {
    const lines = changed(files, file, change).warnings.map(warning => tellWarning(warning, 'en'))
    t.ok(lines.includes(expected), what, { found: lines, wanted: expected })
  }
  for (const files of [{}, { 'fare_leg_rules.txt': 'leg_group_id,fare_product_id\n' }]) {
    const nothing = importFeed(files, settings)
    t.equal(nothing.document, null)
    t.strictSame(told(nothing), ['no_fares'])
  }
})

t.test('what files in the wild do', async t => {
  const same = importFeed(hengyang, settings)
  const wild = Object.fromEntries(Object.entries(hengyang).map(([name, text]) =>
    [name, `\uFEFF${text.trimEnd().replaceAll('\n', '\r\n')}\r\n\r\n`]))
  t.strictSame(importFeed(wild, settings).document, same.document,
    'a mark at the beginning, CRLF, empty lines')
  const cut = Object.fromEntries(Object.entries(hengyang).map(([name, text]) => [name, text.trimEnd()]))
  t.strictSame(importFeed(cut, settings).document, same.document, 'no end of the last line')
  const quoted = changed(hengyang, 'fare_products.txt', text => text.replace('城区内', '"城区,\n""内"""'))
  t.strictSame(quoted.document, same.document)
  const below = changed(hengyang, 'fare_products.txt', text =>
    text.replace('城区内', '"城区\n内"').replace('4.00', '4.005'))
  t.match(below.warnings.find(({ code }) => code === 'value_wrong'), { line: 8 }, 'lines as an editor counts')
  t.strictSame(['4.00', '4', '-1.5', '4.000', '4.001', ''].map(hundredths), [400, 400, -150, 400, null, null])
})

t.test('a large feed', async t => {
  const zones = Array.from({ length: 100 }, (_, at) => `Z${at}`)
  const pairs = zones.flatMap((from, at) =>
    zones.map((to, other) => ({ from, to, fare: Math.abs(at - other) })))
  const startMs = performance.now()
  const imported = importFeed({
    'stops.txt': `stop_id,zone_id\n${zones.map(zone => `S${zone},${zone}`).join('\n')}`,
    'fare_attributes.txt': 'fare_id,price,currency_type,payment_method,transfers\n' +
      zones.map((_, steps) => `F${steps},${200 + steps},JPY,0,0`).join('\n'),
    'fare_rules.txt': 'fare_id,origin_id,destination_id\n' +
      pairs.map(({ from, to, fare }) => `F${fare},${from},${to}`).join('\n')
  }, settings)
  const far = { operator: 'BUS', line: '', from: 'SZ3', to: 'SZ99', atMs: at('2026-03-02 08:00:00') }
  t.match(quote(faresIn(imported), far), { amountFen: 29_600, currency: 'JPY' })
  t.ok(performance.now() - startMs < 10_000, '10,000 rules in seconds')
})

t.test('a feed with bytes changed at random throws nothing', async t => {
  const names = Object.keys(hengyang).filter(name => name.startsWith('fare') || name === 'stop_areas.txt')
  const bits = fc.constantFrom(
    '', '"', ',', '\n', '\r\n', ' ', '-', '0', '9999999', 'bus', 'urban', '__proto__')
  const edit = fc.record({
    file: fc.constantFrom(...names), at: fc.nat(400), length: fc.nat(12), put: bits
  })
  fc.assert(fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), edits => {
    const files: Record<string, string> = { ...hengyang }
    for (const { file, at, length, put } of edits) {
      const text = files[file] ?? ''
      files[file] = text.slice(0, at) + put + text.slice(at + length)
    }
    const { document, warnings } = importFeed(files, settings)
    const isSound = document === null
      ? warnings.some(({ severity }) => severity === 'error')
      : checkDocument(structuredClone(document)).ok
    if (!isSound) throw new Error('a document that is wrong, or none and nobody says why')
  }), { numRuns: 300 })
  t.pass('300 feeds')
})

t.test('every warning in both languages', async t => {
  const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort()
  for (const [code, { zh, en }] of Object.entries(warningTexts)) t.strictSame(holes(zh), holes(en), code)
})

/** Public data lies beside some clones. */
const zakroczym = ['../../shared/data', '../../../shared/data']
  .map(dir => join(import.meta.dirname, dir, 'gtfs-zakroczym')).find(dir => existsSync(dir))
const absent = zakroczym === undefined && 'extra: the public feed is not beside this clone'
t.test('the feed of Zakroczym (T12)', { skip: absent }, async t => {
  const startMs = performance.now()
  const imported = importFeed(readFeed(zakroczym ?? ''), { ...settings, from: '2026-01-01T00:00:00+01:00' })
  t.ok(performance.now() - startMs < 5_000, 'in seconds')
  const fares = faresIn(imported)
  const rows = [['113', '117', 400], ['113', '125', 500], ['117', '125', 400], ['100', '116', 0]] as const
  for (const [from, to, fen] of rows) {
    const found = quote(fares, { operator: 'BUS', line: 'Z1', from, to, atMs: at('2026-03-02 08:00:00') })
    t.match(found, { amountFen: fen, currency: 'PLN' }, `${from} to ${to}`)
  }
  const classes = [['ordinary', 14_000], ['3', 8_820], ['2', 7_000], ['1', 0]] as const
  for (const [name, fen] of classes) t.equal(passOf(imported.document as never, name)?.priceFen, fen, name)
  t.strictSame([...new Set(told(imported))].sort(),
    ['blank_trimmed', 'incomplete_assumed', 'not_in_gtfs', 'product_as_pass', 'summer_time'])
})
