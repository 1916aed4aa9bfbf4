// when: an operator uploads its consumption file, right or wrong.
import { Type, type Static } from 'typebox'
import { localDate } from '../../../runtime/instants.ts'
import type { FileReply } from '../../../schemas/api.ts'
import { consumptionFile, consumptionLine, fileName, type HeaderLies } from '../clearing-text.ts'
import { RecordSaid, sayRecord, writtenOut } from '../say-record.ts'
import { day, name, oneOf, text, whole } from '../values.ts'
import { StepError, whenVerb } from '../verb.ts'
import { known, type SentFile, type SentRecord, type World } from '../world.ts'

const closed = { additionalProperties: false } as const

const BrokenLine = Type.Object({ raw: text('the text of a line that is no record') }, closed)
const header = (says: string) => Type.Optional(text(says))

const Upload = Type.Object(
  {
    file: Type.Optional(name('a name for the file; its lines are FILE/1, FILE/2 …')),
    again: Type.Optional(name('the very bytes of an earlier file')),
    operator: Type.Optional(name('whose file it is')),
    date: Type.Optional(day('date in its name; the day of the clock when absent')),
    sequence: Type.Optional(whole('sequence in its name; the next one when absent')),
    lines: Type.Optional(
      Type.Array(Type.Union([RecordSaid, BrokenLine]), { description: 'its records, in order' })
    ),
    ends: Type.Optional(oneOf(['LF', 'CRLF', 'LFCR'], 'line ends; LF when absent')),
    header: Type.Optional(
      Type.Object(
        {
          type: header('2 wide'),
          industry: header('2 wide'),
          merchant: header('15 wide'),
          date: header('8 wide'),
          sequence: header('5 wide'),
          count: header('8 wide'),
          total: header('12 wide, fen'),
          length: header('8 wide'),
          digest: header('64 wide')
        },
        { ...closed, description: 'what the header says instead of the truth, as written' }
      )
    ),
    name: Type.Optional(text('a name that breaks the pattern')),
    connections: Type.Optional(whole('sent over so many connections at the same moment'))
  },
  closed
)
type Upload = Static<typeof Upload>

export const upload = whenVerb({
  says: 'an operator uploads a file of records',
  example:
    'upload: { file: bus-1, operator: BUS, lines: [{ card: A, amount: 1.80, at: D 07:31, terminal: B-1 }] }',
  schema: Upload,
  plan: (world, said) => {
    const file = said.again === undefined ? newFile(world, said) : known(world.files, 'file', said.again)
    const connections = said.connections ?? 1
    const send = () => put(world, file)
    return [
      {
        act: async () => {
          await Promise.all(Array.from({ length: connections }, send))
        },
        delivery: {
          twice: async () => {
            await send()
            await send()
          }
        }
      }
    ]
  }
})

function newFile (world: World, said: Upload): SentFile {
  if (said.operator === undefined || said.lines === undefined) {
    throw new StepError('a new file says no operator, or no lines', 'operator: BUS, lines: […]')
  }
  const { merchant, industry } = known(world.parties, 'party', said.operator)
  const label = said.file ?? `file-${world.files.size + 1}`
  if (world.files.has(label)) throw new StepError(`two files are called “${label}”`, 'each name once')
  const date = (said.date ?? localDate(world.now)).replaceAll('-', '')
  const sequence =
    said.sequence ?? 1 + [...world.files.values()].filter(file => file.name.includes(merchant)).length
  const head = { industry, merchant, date, sequence }
  const name = said.name ?? fileName(head)

  const sent: (SentRecord | null)[] = []
  const lines = writtenOut(said.lines).map((line, index) => {
    if ('raw' in line) {
      sent.push(null)
      return line.raw
    }
    const one = sayRecord(world, { id: `${label}/${index + 1}`, ...line })
    one.places.push({ delivery: name, line: index + 1 })
    sent.push(one)
    return consumptionLine(
      one.record,
      merchant,
      index + 1,
      one.record.counter + offsetOf(world, said.operator)
    )
  })
  const totalFen = sent.reduce((sum, one) => sum + (one?.record.amountFen ?? 0), 0)
  const bytes = consumptionFile(head, lines, totalFen, said.header as HeaderLies | undefined, said.ends)
  const file: SentFile = { label, name, bytes, replies: [] }
  world.files.set(label, file)
  return file
}

/** Some operators write the counter of the INITIALIZE answer, one less than the committed one. */
const offsetOf = (world: World, operator: string | undefined): number =>
  world.registry.parties?.find(party => party.code === operator)?.counterConvention === 'init' ? -1 : 0

async function put (world: World, file: SentFile): Promise<void> {
  const path = `/v1/files/${encodeURIComponent(file.name)}`
  file.replies.push(
    (await world.api.call({ method: 'PUT', path, as: 'gateway', bytes: file.bytes })) as FileReply
  )
}
