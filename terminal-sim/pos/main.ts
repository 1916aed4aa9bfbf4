// A POS to be used by hand: reads messages from standard input, a line each, and prints the answers.
//   node runtime/start.mjs terminal-sim/pos/main.ts --device /dev/ttyUSB0
//   node runtime/start.mjs terminal-sim/pos/main.ts --tcp 7001
//   SALE|key=000001|card=02313750FFFFFFFF-03104990600000000016-1|amountFen=180
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { readPosMessage, writePosMessage } from '../../schemas/pos-line/messages.ts'
import { connectTo, openDevice } from '../line/line.ts'
import { openPos } from './pos.ts'

const { values } = parseArgs({ options: { device: { type: 'string' }, tcp: { type: 'string' } } })
const line = values.device === undefined ? await connectTo(Number(values.tcp)) : openDevice(values.device)
const pos = openPos({ line })
for await (const text of createInterface({ input: process.stdin })) {
  const read = readPosMessage(Buffer.from(text))
  if (!read.ok) {
    console.log(`${read.error.field} at ${read.error.offset}: ${read.error.why}`)
    continue
  }
  const answer = await pos.ask(read.message.kind, read.message.fields)
  console.log(answer === null ? 'no answer: ask again with the same key' : String(writePosMessage(answer)))
}
line.close()
