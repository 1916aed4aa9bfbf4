// One content under every line end, closed by one or not: the answers to the operator are the same bytes but
// for their own ends, which are those of the file.
import t from 'tap'
import { toConsumptionRecord } from '../schemas/clearing-file/event.ts'
import { writeConsumptionFile, writeConsumptionRecord } from '../schemas/clearing-file/consumption.ts'
import { startDoors, type Door } from './support/ledger-http.ts'
import { card, D, debit, smallCity } from './support/small-city.ts'

t.setTimeout(300_000)
const doors = await startDoors()
t.teardown(doors.stop)

const merchant = '430400000000002'
const ends = { LF: '\n', CRLF: '\r\n', LFCR: '\n\r' } as const
const records = [
  debit(0, 1), debit(1, 1, 'B1', { sequence: 2, tac: '01020304' }),
  debit(2, 1, 'B1', { sequence: 3, grey: true, tac: null }), debit(3, 1, 'B1', { sequence: 4 })
]
const texts = records.map((record, index) =>
  writeConsumptionRecord(toConsumptionRecord(record, merchant, index + 1)))

/** SS and QS of a file with these ends, from a ledger of its own. */
async function answersTo (end: keyof typeof ends, closed: boolean): Promise<{ SS: string, QS: string }> {
  const door: Door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity(records.map((_, number) => card(number))))
  const head = { date: '20260302', industry: '02', merchant, sequence: 1 }
  const { name, text } = writeConsumptionFile(head, texts, end)
  const bytes = closed ? text : text.slice(0, -ends[end].length)
  t.ok(closed === bytes.endsWith(ends[end]), `${end}: the file is ${closed ? 'closed' : 'open'}`)
  const sent = { bytes, type: 'application/octet-stream' }
  t.match(await door.ask('gateway', 'PUT', `/v1/files/${name}`, sent), { status: 200 })
  const answer = async (path: string) => (await door.bytes('gateway', path)).toString('latin1')
  const answers = { SS: await answer(`/v1/files/${name}/SS`), QS: await answer(`/v1/operators/BUS/QS/${D}`) }
  await door.close()
  return answers
}

t.test('SS and QS of one content, however its lines end', async t => {
  const plain = await answersTo('LF', true)
  t.match(plain.SS, /^SS02000000020{5}198F{24}\n/, 'two of four are refused, each of 198 characters')
  t.strictSame(plain.SS.split('\n').map(line => line.length), [44, 198, 198, 0])
  t.match(plain.QS, /^QS000000010{5}103F{24}\n/)
  for (const end of ['LF', 'CRLF', 'LFCR'] as const) {
    for (const closed of [true, false]) {
      const { SS, QS } = await answersTo(end, closed)
      t.equal(SS, plain.SS.replaceAll('\n', ends[end]), `SS ${end}, ${closed ? 'closed' : 'open'}`)
      t.equal(QS.replaceAll(/[\r\n]+/g, '\n'), plain.QS, `QS ${end}, ${closed ? 'closed' : 'open'}`)
    }
  }
})
