// then: what became of each record: its verdict now, its first answer, the totals over all of them.
import { Type } from 'typebox'
import type { PriceFinding, RecordView } from '../../../schemas/api.ts'
import { outcomeNumbers, verdictReasons, type VerdictReason } from '../../../schemas/reasons.ts'
import { cardKey } from '../../../schemas/record.ts'
import { mappingOf } from '../check.ts'
import { day, moment, name, showMoment, showYuan, text, whole, yuan } from '../values.ts'
import { compare, thenVerb, type Miss } from '../verb.ts'
import { known, type SentRecord, type World } from '../world.ts'
import { money, plain } from './balances.ts'

const outcomes = Object.keys(outcomeNumbers).join('|')
const verdict = (tail: string, says: string) =>
  Type.Unsafe<string>({
    type: 'string',
    pattern: `^(${outcomes})( [a-z_]+)?${tail}$`,
    description: says
  } as never)

export const records = thenVerb({
  says: 'the verdict on each record as it stands now; a reason that is not said is not compared',
  example: 'records: { A/101: accepted, bus-1/6: held grey }',
  schema: mappingOf(
    name('a record'),
    verdict('', 'an outcome and a reason, such as held grey'),
    'verdicts by record'
  ),
  check: async (world, said) => {
    const views = await world.api.records()
    return Object.entries(said).flatMap(([label, wanted]) => {
      const view = viewOf(world, views, label)
      if (view === null) return [{ what: `record ${label}`, expected: wanted, found: 'no such line' }]
      const last = view.adjusted.at(-1) ?? view
      return verdictMiss(`record ${label}`, wanted, last)
    })
  }
})

export const answers = thenVerb({
  says: 'what each record was answered last; “again” where it was known; known to one of two connections',
  example: 'answers: { A/101: accepted ok again }',
  schema: mappingOf(
    name('a record'),
    verdict('( again)?', 'an outcome, a reason, and again where it was known'),
    'answers by record'
  ),
  anyOrder: false,
  check: async (world, said) =>
    Object.entries(said).flatMap(([label, wanted]) => {
      const given = known(world.records, 'record', label).answers.at(-1) ?? []
      if (given.length === 0) return [{ what: `answer ${label}`, expected: wanted, found: 'never delivered' }]
      const news = / again$/.test(wanted) ? 0 : 1
      return [
        ...given.flatMap(answer => verdictMiss(`answer ${label}`, wanted.replace(/ again$/, ''), answer)),
        // Under a crash the first answer may have died with the ledger.
        ...plain(
          `times ${label} was news`,
          world.modifiers.crash === undefined ? news : undefined,
          given.filter(answer => !answer.replayed).length
        )
      ]
    })
})

export const findings = thenVerb({
  says: 'every check that a record failed, in order',
  example: 'findings: { bus-1/8: [overdue] }',
  schema: mappingOf(
    name('a record'),
    Type.Array(text('a finding'), { description: 'findings' }),
    'findings by record'
  ),
  check: async (world, said) => {
    const views = await world.api.records()
    return Object.entries(said).flatMap(([label, wanted]) => {
      const view = viewOf(world, views, label)
      return compare(
        `findings of ${label}`,
        wanted.join(', '),
        view === null ? 'no such line' : view.findings.join(', ')
      )
    })
  }
})

export const lines = thenVerb({
  says: 'all lines of a card in the order of its counter: counter, terminal, amount, verdict now',
  example: 'lines: { A: [101 BUS-1 1.80 accepted ok] }',
  schema: mappingOf(
    name('a card'),
    Type.Array(text('such as 101 BUS-1 1.80 accepted ok'), { description: 'lines' }),
    'lines by card'
  ),
  check: async (world, said) => {
    const views = await world.api.records()
    return Object.entries(said).flatMap(([card, wanted]) => {
      const key = cardKey(known(world.chips, 'card', card).ref)
      const found = views
        .filter(view => view.card !== null && cardKey(view.card) === key)
        .sort((a, b) => Number(a.counter) - Number(b.counter))
        .map(lineOf)
      return compare(`lines of ${card}`, wanted.join('; '), found.join('; '))
    })
  }
})

export const estimates = thenVerb({
  says: 'when records are taken to have happened, where their clock cannot have been right',
  example: 'estimates: { A/101: D 06:01 }',
  schema: mappingOf(name('a record'), moment(), 'estimated times by record'),
  check: async (world, said) => {
    const views = await world.api.records()
    return Object.entries(said).flatMap(([label, wanted]) => {
      const at = viewOf(world, views, label)?.estimatedAt
      return compare(`estimate of ${label}`, showMoment(wanted, world.reading),
        at === undefined ? 'none' : showMoment(Date.parse(at), world.reading))
    })
  }
})

export const priceFindings = thenVerb({
  says: 'boardings of a clearing date that were priced otherwise than the tariff of their time says',
  example: 'price_findings: { day: D, count: 40, difference: -8.00 }',
  schema: Type.Object(
    { day: day(), count: Type.Optional(whole()), difference: Type.Optional(yuan('paid less due, summed')) },
    { additionalProperties: false }
  ),
  check: async (world, said) => {
    const items = await world.api.all<PriceFinding>(`/v1/services/transit/price-findings?date=${said.day}`)
    return [
      ...plain('price findings', said.count, items.length),
      ...money('price difference', said.difference,
        items.reduce((sum, one) => sum + Number(one.differenceFen), 0))
    ]
  }
})

export const totals = thenVerb({
  says: 'distinct lines of a clearing date by their first answer',
  example:
    'totals: { day: D, distinct: 10, accepted: 3, held: 1, excluded: 1, refused: 5, accepted_amount: 4.60 }',
  schema: Type.Object(
    {
      day: Type.Optional(day('all days when absent')),
      distinct: Type.Optional(whole()),
      accepted: Type.Optional(whole()),
      held: Type.Optional(whole()),
      excluded: Type.Optional(whole()),
      refused: Type.Optional(whole()),
      reasons: Type.Optional(mappingOf(text('a reason'), whole(), 'refused lines by reason')),
      accepted_amount: Type.Optional(yuan())
    },
    { additionalProperties: false }
  ),
  anyOrder: false,
  check: async (world, said) => {
    const found = await world.api.totals(said.day)
    return [
      ...plain('distinct lines', said.distinct, found.distinct),
      ...plain('accepted lines', said.accepted, found.accepted),
      ...plain('held lines', said.held, found.held),
      ...plain('excluded lines', said.excluded, found.excluded),
      ...plain('refused lines', said.refused, sum(found.refused)),
      ...Object.entries(said.reasons ?? {}).flatMap(([reason, count]) =>
        plain(`refused ${reason}`, count, found.refused[reason] ?? 0)
      ),
      ...money('accepted amount', said.accepted_amount, Number(found.acceptedFen))
    ]
  }
})

export const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((a, b) => a + b, 0)

function verdictMiss (what: string, wanted: string, found: { outcome: string, reason: string }): Miss[] {
  const reason = wanted.split(' ')[1]
  if (reason !== undefined && !Object.hasOwn(verdictReasons, reason)) {
    return [
      {
        what,
        expected: `a reason of ${(Object.keys(verdictReasons) as VerdictReason[]).join(', ')}`,
        found: reason
      }
    ]
  }
  return compare(what, wanted, reason === undefined ? found.outcome : `${found.outcome} ${found.reason}`)
}

/** A record the scenario delivered, or CARD/COUNTER of one that came through a reader. */
function viewOf (world: World, views: readonly RecordView[], label: string): RecordView | null {
  const [card = '', counter] = label.split('/')
  const chip = world.records.has(label) || world.readers === null ? undefined : world.chips.get(card)
  if (chip === undefined) return find(views, known(world.records, 'record', label))
  const key = cardKey(chip.ref)
  return (
    views.find(
      view => view.card !== null && cardKey(view.card) === key && String(view.counter) === counter
    ) ?? null
  )
}

/** By the delivery and line it came in, or, where it was known before, by what it tells. */
function find (views: readonly RecordView[], sent: SentRecord): RecordView | null {
  const byPlace = views.find(view =>
    sent.places.some(place => place.delivery === view.delivery && place.line === view.line)
  )
  return byPlace ?? views.find(view => sameEvent(view, sent)) ?? null
}

const sameEvent = (view: RecordView, { record }: SentRecord): boolean =>
  view.card !== null &&
  cardKey(view.card) === cardKey(record.card) &&
  view.counter === record.counter &&
  Number(view.amountFen) === record.amountFen &&
  view.psam === record.psam &&
  Number(view.sequence) === record.sequence &&
  Number(view.balanceBeforeFen) === record.balanceBeforeFen

function lineOf (view: RecordView): string {
  const { outcome, reason } = view.adjusted.at(-1) ?? view
  return `${view.counter} ${view.terminal} ${showYuan(Number(view.amountFen))} ${outcome} ${reason}`
}
