// From each net position of a small city down to the bytes: the sums of a level are those of the level above,
// and every link leads somewhere.
import t, { type Test } from 'tap'
import { createHash } from 'node:crypto'
import { cardKey } from '../schemas/record.ts'
import type { Position } from '../schemas/api.ts'
import type { BatchLine, ChainEntry, PositionBatch, RawLineView, TransferView } from '../schemas/tracing.ts'
import { sliceOf } from '../runtime/json-slice.ts'
import { cardOf, recordOf } from './support/posting.ts'
import { startDoors, type Door } from './support/ledger-http.ts'
import { city, deliver, wholeDay } from './support/small-day.ts'

t.setTimeout(600_000)
const doors = await startDoors()
t.teardown(() => doors.stop())

const get = <T>(door: Door, path: string): Promise<T> => door.ok('clerk', 'GET', path) as Promise<T>

/** All pages of a list, each of two items, so that there are some. */
async function all<T> (door: Door, path: string): Promise<T[]> {
  const items: T[] = []
  const seen = new Set<string>()
  for (let next: string | null = null, first = true; first || next !== null; first = false) {
    const query = `${path.includes('?') ? '&' : '?'}limit=2${next === null ? '' : `&after=${next}`}`
    const page: { items: T[], next: string | null } = await get(door, path + query)
    items.push(...page.items)
    if (page.next !== null && seen.has(page.next)) throw new Error(`${path} does not go on`)
    if (page.next !== null) seen.add(page.next)
    next = page.next
  }
  return items
}

type Parts = Pick<Position, 'claimsFen' | 'adjustmentsFen' | 'loadsFen'>
const total = (all: readonly Parts[]): Parts => all.reduce((sum, one) => ({
  claimsFen: sum.claimsFen + one.claimsFen, adjustmentsFen: sum.adjustmentsFen + one.adjustmentsFen,
  loadsFen: sum.loadsFen + one.loadsFen
}), { claimsFen: 0, adjustmentsFen: 0, loadsFen: 0 })
const partsOf = ({ claimsFen, adjustmentsFen, loadsFen }: Parts): Parts =>
  ({ claimsFen, adjustmentsFen, loadsFen })

t.test('position, batches, lines, raw line, chain, journal', async t => {
  const door = await wholeDay(doors)
  await door.ok('settler', 'POST', '/v1/days/2026-03-03/close')
  let lines = 0
  const kinds = new Set<string>()
  for (const date of ['2026-03-02', '2026-03-03']) {
    const { items: positions } = await get<{ items: (Position & { links: { batches: string } })[] }>(door,
      `/v1/positions/${date}`)
    t.ok(positions.length >= 4, `${date}: ${positions.length} positions`)
    for (const position of positions) {
      const what = `${date} ${position.party} ${position.book}`
      const one = await get<Position & { links: { batches: string } }>(door,
        `/v1/positions/${date}/${position.party}/${position.book}`)
      t.match(one, partsOf(position), what)
      const batches = await all<PositionBatch>(door, one.links.batches)
      t.strictSame(total(batches), partsOf(position), `${what}: batches sum to the position`)
      for (const batch of batches) {
        kinds.add(batch.kind)
        const { kind } = batch
        t.match(await get(door, batch.links.batch), { batch: batch.batch, clearingDate: date, kind })
        const own = await all<BatchLine>(door, batch.links.lines)
        t.strictSame(total(own), partsOf(batch), `${what}: lines sum to batch ${batch.batch}`)
        t.equal(new Set(own.map(line => line.transfer)).size, own.length, 'each line once')
        for (const line of own) {
          lines++
          await followLine(t, door, line)
        }
      }
    }
  }
  t.ok(lines > 20, `${lines} lines`)
  t.ok(kinds.has('records') && kinds.has('correction'), [...kinds].join())
  await door.close()
})

async function followLine (t: Test, door: Door, line: BatchLine): Promise<void> {
  const { items: journal } = await get<{ items: TransferView[] }>(door, line.links.journal)
  const { claimsFen, adjustmentsFen, loadsFen, ...transfer } = line
  t.strictSame(journal.filter(one => one.transfer === line.transfer), [transfer], 'the journal holds it')
  if (line.links.corrects !== null) {
    t.match(await get(door, line.links.corrects), { transfer: line.corrects })
  }
  if (line.links.line === null) return
  const raw = await get<RawLineView>(door, line.links.line)
  t.ok(raw.transfers.some(one => one.transfer === line.transfer), 'the line moved it')
  t.strictSame([raw.delivery, raw.line], [line.delivery, line.line])
  t.strictSame(raw.record?.card, line.card)
  if (line.corrects === null) t.equal(raw.record?.amountFen, line.amountFen, 'of the amount in the bytes')
  for (const mark of raw.ruler) {
    const end = mark.offset + mark.length
    t.equal(Buffer.from(raw.raw).subarray(mark.offset, end).toString(), mark.raw, mark.name)
  }
  const amount = raw.ruler.find(one => one.name === 'amountFen')
  t.equal(Number(amount?.raw), raw.record?.amountFen, 'the ruler finds the amount')
  const ruled = raw.ruler.map(one => one.raw).join('')
  if (raw.kind === 'file') t.equal(ruled, raw.raw, 'the ruler covers the line')
  t.ok(raw.links.chain?.includes(cardKey(raw.record?.card ?? cardOf(0))))
  const { items: chain } = await get<{ items: ChainEntry[] }>(door, raw.links.chain ?? '')
  const entry = chain.find(one => one.links.line === line.links.line)
  t.match(entry, { counter: raw.record?.counter, amountFen: raw.record?.amountFen }, 'it stands in the chain')
}

t.test('a line of JSON as it came, whatever its blanks', async t => {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', city(3))
  const first = recordOf(0, 1)
  const strange = { colour: '红 "}]', amountFen: 'none' }
  const text = `{ "delivery" : "spaced-out-1",\n "records": [ ${JSON.stringify(first, null, 1)} ,${
    JSON.stringify(strange)}, 7 ] }`
  const { results } = (await door.ask('gateway', 'POST', '/v1/records', { bytes: text })).json
  t.strictSame(results.map((one: { reason: string }) => one.reason), ['ok', 'malformed', 'malformed'])
  const line = (number: number) => get<RawLineView>(door, `/v1/deliveries/1/lines/${number}`)
  const one = await line(1)
  t.equal(one.raw, JSON.stringify(first, null, 1))
  t.equal(one.digest, createHash('sha256').update(text).digest('hex').toUpperCase())
  t.match(one, { kind: 'json', name: 'spaced-out-1', pointer: '/records/0', record: { outcome: 'accepted' } })
  t.match(one.ruler.find(mark => mark.name === 'card.serial'),
    { pointer: '/records/0/card/serial', raw: `"${cardOf(0).serial}"`, says: /application serial number/ })
  t.match(await line(2), {
    pointer: '/records/1', raw: JSON.stringify(strange), record: { reason: 'malformed' }, transfers: [],
    ruler: [{ name: 'amountFen', raw: '"none"' }, { name: 'colour', raw: '"红 \\"}]"' }]
  })
  t.match(await line(3), { raw: '7', ruler: [], record: { reason: 'malformed' } })
  for (const missing of ['1/lines/4', '2/lines/1', '1/lines/0']) {
    t.equal((await door.ask('clerk', 'GET', `/v1/deliveries/${missing}`)).status, 404, missing)
  }
  await door.close()
})

t.test('a chain with a hole, page by page', async t => {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', city(3))
  const nth = (number: number, more: object = {}) =>
    recordOf(0, number, { dateTime: `2026030208${String(number).padStart(2, '0')}00`, ...more })
  await deliver(door, 'with-a-hole', [nth(1), nth(2), nth(6), nth(7), nth(8, { grey: true })])
  const path = `/v1/cards/${cardKey(cardOf(0))}/chain`
  const chain = await all<ChainEntry>(door, path)
  t.strictSame(chain.map(({ counter, kind, gap }) => [counter, kind, gap]), [
    [101, 'claim', null], [102, 'claim', null],
    // Three taps of 1.80 nobody told of.
    [106, 'claim', { from: 103, to: 105, impliedFen: 540 }], [107, 'claim', null], [108, 'grey', null]
  ])
  t.strictSame(await get(door, `${path}?after=105&limit=1`), { items: [chain[2]], next: '106' })
  t.equal((await door.ask('clerk', 'GET', `/v1/cards/${cardKey(cardOf(77))}/chain`)).status, 404)
  await door.close()
})

t.test('who may look, and what is not there', async t => {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', city(1))
  const paths = [
    '/v1/positions/2026-03-02/BUS/commerce', '/v1/batches/99', '/v1/batches/99/lines',
    '/v1/deliveries/1/lines/1', '/v1/journals/1', '/v1/transfers/1',
    '/v1/positions/2026-03-02/XXX/commerce/batches', '/v1/positions/2026-03-02/BUS/nobook/batches'
  ]
  for (const path of paths) {
    t.equal((await door.ask('gateway', 'GET', path)).status, 403, path)
    t.equal((await door.ask('clerk', 'GET', path)).json.reason, 'not_found', path)
  }
  t.strictSame(await get(door, '/v1/positions/2026-03-02/BUS/commerce/batches'), { items: [], next: null },
    'the open date can be looked into too')
  await door.close()
})

t.test('places in JSON', async t => {
  const json = Buffer.from('{"a": [1, {"b\\"c": "x]", "é": [ ] }], "e":-1.5e3 ,"f":{}}')
  for (const [path, wanted] of [
    [[], json.toString()], [['a'], '[1, {"b\\"c": "x]", "é": [ ] }]'], [['a', 0], '1'],
    [['a', 1, 'b"c'], '"x]"'], [['e'], '-1.5e3'], [['f'], '{}'], [['f', 'g'], null], [['a', 2], null],
    [['e', 0], null], [['A'], null]
  ] as const) {
    const found = sliceOf(json, path)
    t.equal(found === null ? null : json.subarray(found.start, found.end).toString(), wanted, path.join('/'))
  }
  t.throws(() => sliceOf(Buffer.from('{"a": [1'), ['a']), /breaks off/)
  t.throws(() => sliceOf(Buffer.from('{"a": "x'), ['a']), /breaks off/)
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
