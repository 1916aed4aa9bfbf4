// then: what an operator reads back: the reply to its file, and its SS, QS and NS answers, read with a
// parser of its own.
import { Type } from 'typebox'
import { mappingOf } from '../check.ts'
import { endsOf, readAnswer, repeatedOf, type AnswerRecord, type AnswerType } from '../clearing-text.ts'
import { countAmount, day, name, oneOf, showCountAmount, text, whole, type CountAmount } from '../values.ts'
import { compare, thenVerb, type Miss } from '../verb.ts'
import { known, type World } from '../world.ts'
import { plain } from './balances.ts'

const closed = { additionalProperties: false } as const

export const fileReplies = thenVerb({
  says: 'the last reply to an uploaded file',
  example:
    'file_replies: { bus-1: { status: processed, all: 10 / 17.40, confirmed: 3 / 4.60 } }',
  schema: mappingOf(
    name('a file'),
    Type.Object(
      {
        status: Type.Optional(oneOf(['processed', 'already_processed'], 'processed, or already_processed')),
        all: Type.Optional(countAmount()),
        confirmed: Type.Optional(countAmount()),
        refused: Type.Optional(countAmount()),
        excluded: Type.Optional(countAmount()),
        lines: Type.Optional(
          mappingOf(
            name('a line number'),
            text('outcome and reason'),
            'lines that were not simply accepted, all of them'
          )
        ),
        replies: Type.Optional(whole('how often it was answered as processed; needs connections'))
      },
      closed
    ),
    'replies by file'
  ),
  check: async (world, said) =>
    Object.entries(said).flatMap(([label, wanted]) => {
      const { replies } = known(world.files, 'file', label)
      const reply = replies.at(-1)
      if (reply === undefined) {
        return [{ what: `reply to ${label}`, expected: 'a reply', found: 'never uploaded' }]
      }
      const processed = replies.filter(one => one.status === 'processed').length
      // Sent twice on purpose, the last reply to the first sending is meant.
      const status =
        world.modifiers.duplicate === true && wanted.status === 'processed'
          ? (replies[0]?.status ?? '')
          : reply.status
      // The first reply died with the ledger: only the second one came back.
      const lost = world.modifiers.crash !== undefined
      return [
        ...plain(`reply to ${label}`, lost ? undefined : wanted.status, status),
        ...pair(`${label} all`, wanted.all, reply),
        ...pair(`${label} confirmed`, wanted.confirmed, reply.confirmed),
        ...pair(`${label} refused`, wanted.refused, reply.refused),
        ...pair(`${label} excluded`, wanted.excluded, reply.excluded),
        ...plain(`${label} answered as processed`, lost ? undefined : wanted.replies, processed),
        ...(wanted.lines === undefined
          ? []
          : listed(
              `lines of ${label}`,
              wanted.lines,
              reply.lines.map(line => [String(line.line), `${line.outcome} ${line.reason}`])
          ))
      ]
    })
})

export const ss = thenVerb({
  says: 'the refusal list of a file: wire code by line, nothing else; each line as it came, ended as it was',
  example: 'SS: { file: bus-1, lines: { 3: "01", 4: "03" } }',
  schema: Type.Object(
    {
      file: name('a file'),
      lines: mappingOf(name('a line number'), text('two-digit code'), 'codes by line'),
      as_it_came: Type.Optional(mappingOf(
        name('a line number'), text('from the merchant number to the reserved field'), 'texts by line'))
    },
    closed
  ),
  check: async (world, { file, lines, as_it_came: texts = {} }) => {
    const { name: source, bytes } = known(world.files, 'file', file)
    const sent = Buffer.from(bytes).toString('latin1')
    const body = await answerText(world, 'SS', `/v1/files/${encodeURIComponent(source)}/SS`)
    const found = readAnswer('SS', body)
    return [
      ...compare(`line ends in SS of ${file}`, endsOf(sent), endsOf(body)),
      ...found.flatMap(line => compare(`SS of ${file}, line ${Number(line.serial)} as the file had it`,
        repeatedOf(sent, Number(line.serial)), echoOf(line))),
      ...listed(
        `SS of ${file}`,
        lines,
        found.map(line => [String(Number(line.serial)), line.cause])
      ),
      ...found.flatMap(line =>
        compare(
          `source in SS of ${file}, line ${Number(line.serial)}`,
          source.slice(2),
          line.source.trimEnd()
        )
      ),
      ...Object.entries(texts).flatMap(([no, text]) => {
        const line = found.find(one => Number(one.serial) === Number(no))
        return compare(`SS of ${file}, line ${no} as it came`, text, line === undefined ? '' : echoOf(line))
      })
    ]
  }
})

export const adjustedLines = thenVerb({
  says: 'lines of earlier files of which the verdict changed on a day, by the SS of that day; nothing else',
  example: 'adjusted_lines: { party: BUS, day: D+2, lines: { bus-1/6: "00" } }',
  schema: Type.Object(
    {
      party: name('a party'),
      day: day(),
      lines: mappingOf(name('file/line'), text('two-digit code'), 'codes by line')
    },
    closed
  ),
  check: async (world, { party, day: date, lines }) => {
    const found = await answer(world, 'SS', `/v1/operators/${party}/SS/${date}`)
    const files = new Map([...world.files].map(([label, { name: source, bytes }]) =>
      [source.slice(2), { label, sent: Buffer.from(bytes).toString('latin1') }]))
    const labelled = found.map(line => ({
      line, no: Number(line.serial), ...files.get(line.source.trimEnd()) ?? { label: line.source, sent: '' }
    }))
    return [
      ...labelled.flatMap(({ line, label, no, sent }) => [
        ...compare(`${label}/${no} in SS of ${date} as the file had it`, repeatedOf(sent, no), echoOf(line)),
        ...compare(`date of ${label}/${no} in SS of ${date}`, date.replaceAll('-', ''), line.clearingDate)
      ]),
      ...listed(`SS of ${date}`, lines, labelled.map(({ line, label, no }) => [`${label}/${no}`, line.cause]))
    ]
  }
})

/** What an SS record repeats of the line itself: all but source, serial, date and cause. */
const echoOf = ({ source, serial, clearingDate, cause, ...echo }: AnswerRecord<'SS'>): string =>
  Object.values(echo).join('')

export const qs = thenVerb({
  says: 'the settlement summary of a party and day; of another order, if all four parts are said, their sums',
  example:
    'QS: { party: BUS, day: D, confirmed: 3 / 4.60, refused: 6 / 11.00, adjusted: 0 / 0.00, excluded: 1 }',
  schema: Type.Object(
    {
      party: name('a party'),
      day: day(),
      confirmed: Type.Optional(countAmount()),
      refused: Type.Optional(countAmount()),
      adjusted: Type.Optional(countAmount()),
      adjustment_refused: Type.Optional(countAmount()),
      excluded: Type.Optional(whole('excluded lines, from the reserved field'))
    },
    closed
  ),
  check: async (world, said) => {
    const [line, ...more] = await answer(world, 'QS', `/v1/operators/${said.party}/QS/${said.day}`)
    if (line === undefined || more.length > 0) {
      return [
        {
          what: `QS of ${said.party}`,
          expected: 'one record',
          found: `${line === undefined ? 0 : 1 + more.length}`
        }
      ]
    }
    const what = `QS of ${said.party}`
    return [
      ...compare(`${what} merchant`, known(world.parties, 'party', said.party).merchant, line.merchant),
      ...compare(`${what} date`, said.day.replaceAll('-', ''), line.date),
      ...parts(what, world.modifiers.shuffle === undefined, said, {
        confirmed: fields(line.confirmedCount, line.confirmedAmount),
        refused: fields(line.refusedCount, line.refusedAmount),
        adjusted: fields(line.adjustedCount, line.adjustedAmount),
        adjustment_refused: fields(line.adjustmentRefusedCount, line.adjustmentRefusedAmount)
      }),
      ...plain(`${what} excluded`, said.excluded, Number(line.excludedCount))
    ]
  }
})

/** The parts of a QS: first answers, and what was given and taken since. */
type Parts = { readonly [part in 'confirmed' | 'refused' | 'adjusted' | 'adjustment_refused']?: CountAmount }

/**
 * What a first answer says hangs on what had come before, and so does what is given or taken after it. In
 * another order only their sums can be told.
 */
function parts (what: string, inOrder: boolean, said: Parts, found: Required<Parts>): Miss[] {
  const { confirmed, refused, adjusted, adjustment_refused: taken } = said
  if (inOrder || !confirmed || !refused || !adjusted || !taken) {
    return Object.entries(found).flatMap(([part, one]) =>
      pair(`${what} ${part.replace('_', ' ')}`, said[part as keyof Parts], one))
  }
  const sums = (of: Required<Parts>) => [
    ['with what was adjusted', sum(of.confirmed, of.adjusted, of.adjustment_refused)],
    ['that stays refused', sum(of.refused, of.adjustment_refused, of.adjusted)]
  ] as const
  const here = sums(found)
  return sums({ confirmed, refused, adjusted, adjustment_refused: taken }).flatMap(([part, one], index) =>
    compare(`${what} ${part}`, one, here[index]?.[1] ?? ''))
}

const sum = (first: CountAmount, plus: CountAmount, minus: CountAmount): string => showCountAmount({
  count: first.count + plus.count - minus.count,
  amountFen: first.amountFen + plus.amountFen - minus.amountFen
})

export const ns = thenVerb({
  says: 'the files of a party that were cleared on a day',
  example: 'NS: { party: BUS, day: D, files: [bus-1] }',
  schema: Type.Object(
    { party: name('a party'), day: day(), files: Type.Array(name('a file'), { description: 'files' }) },
    closed
  ),
  check: async (world, { party, day: date, files }) => {
    const found = await answer(world, 'NS', `/v1/operators/${party}/NS/${date}`)
    const wanted = files.map(
      file => `${known(world.files, 'file', file).name.slice(2)} ${date.replaceAll('-', '')}`
    )
    return compare(
      `NS of ${party}`,
      wanted.sort().join(', '),
      found
        .map(line => `${line.source.trimEnd()} ${line.clearingDate}`)
        .sort()
        .join(', ')
    )
  }
})

async function answer<Type extends AnswerType> (
  world: World,
  type: Type,
  path: string
): Promise<AnswerRecord<Type>[]> {
  return readAnswer(type, await answerText(world, type, path))
}

async function answerText (world: World, type: AnswerType, path: string): Promise<string> {
  const body = await world.api.get<unknown>(path, 'gateway')
  if (typeof body !== 'string') throw new Error(`${path} answers JSON where ${type} text belongs`)
  return body
}

const fields = (count: string, amount: string): CountAmount => ({
  count: Number(count),
  amountFen: Number(amount)
})

const pair = (
  what: string,
  wanted: CountAmount | undefined,
  found: { count: number, amountFen: number }
): Miss[] =>
  wanted === undefined
    ? []
    : compare(
      what,
      showCountAmount(wanted),
      showCountAmount({ count: found.count, amountFen: Number(found.amountFen) })
    )

/** Line by line, and none too many. */
function listed (
  what: string,
  wanted: Readonly<Record<string, string>>,
  found: readonly (readonly [string, string])[]
): Miss[] {
  const rest = new Map(found)
  const misses = Object.entries(wanted).flatMap(([line, says]) => {
    const there = rest.get(line) ?? 'not listed'
    rest.delete(line)
    return compare(`${what}, line ${line}`, says, there)
  })
  return [
    ...misses,
    ...[...rest].map(([line, says]) => ({
      what: `${what}, line ${line}`,
      expected: 'not listed',
      found: says
    }))
  ]
}
