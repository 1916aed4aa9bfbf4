// A process that writes a spool until it is killed: says on standard output what the spool has promised, line
// by line. Arguments: directory, number of the round.
import { writeSync } from 'node:fs'
import { systemClock } from '../../runtime/clock.ts'
import { directoryLayer } from '../../gateway/spool/files.ts'
import { openSpool } from '../../gateway/spool/spool.ts'
import { cardKey } from '../../schemas/record.ts'
import { recordOf } from './taps.ts'

const [dir = '', round = '0'] = process.argv.slice(2)
const limits = { segmentBytesMax: 20_000 }
const spool = await openSpool({ files: directoryLayer(dir), clock: systemClock, limits })
const say = (promise: unknown) => writeSync(1, JSON.stringify(promise) + '\n')

async function lane (terminal: string): Promise<void> {
  for (let tap = 1; ; tap++) {
    const recordNo = spool.nextRecordNo({ operator: 'BUS', terminal })
    const grey = recordOf({ terminal, recordNo, serial: Number(round) * 1_000 + tap })
    const intent = await spool.intent({ record: grey, lane: terminal, mac1: '00000000' })
    say({ intent, card: cardKey(grey.card), recordNo, terminal })
    const record = { ...grey, grey: false, tac: '11223344' }
    const sequence = await spool.record({ intent, lane: terminal, record, settled: true })
    say({ record: sequence, content: JSON.stringify(record) })
  }
}
await Promise.all(['A', 'B', 'C'].map(lane))
