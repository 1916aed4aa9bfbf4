// then: what the national centre was told of a day, and what its returns were answered.
import { Type } from 'typebox'
import type { NationalReturnResult } from '../../../schemas/national.ts'
import { mappingOf } from '../check.ts'
import { entriesIn, forwardedOn, labelOf } from '../national.ts'
import { day, name, showYuan, text, yes, yuan } from '../values.ts'
import { compare, thenVerb } from '../verb.ts'
import { known } from '../world.ts'
import { plain } from './balances.ts'

const closed = { additionalProperties: false } as const

export const forwarded = thenVerb({
  says: 'what the national centre was told of a day, all of it: claims, and claims taken back, by record',
  example: 'forwarded: { day: D, claims: { guest: 1.80 }, withdrawals: {}, confirmed: true }',
  schema: Type.Object({
    day: day(),
    claims: Type.Optional(mappingOf(name('a record'), yuan(), 'claims by record; none when absent')),
    withdrawals: Type.Optional(mappingOf(name('a record'), yuan(), 'taken back; none when absent')),
    confirmed: Type.Optional(yes('true: the centre has confirmed all of it'))
  }, closed),
  check: async (world, { day: date, claims = {}, withdrawals = {}, confirmed }) => {
    const batches = await forwardedOn(world, date)
    const entries = await entriesIn(world, batches)
    const wanted = (of: Readonly<Record<string, number>>) =>
      Object.entries(of).map(([record, fen]) => `${record} ${showYuan(fen)}`).sort().join(', ')
    const found = (kind: string) => entries.filter(entry => entry.kind === kind)
      .map(({ record, amountFen }) => `${labelOf(world, record)} ${showYuan(amountFen)}`).sort().join(', ')
    return [
      ...compare(`claims forwarded for ${date}`, wanted(claims), found('claim')),
      ...compare(`claims taken back for ${date}`, wanted(withdrawals), found('withdrawal')),
      ...plain(`${date} is confirmed`, confirmed, batches.every(({ forwardedAt }) => forwardedAt !== null))
    ]
  }
})

export const returns = thenVerb({
  says: 'what the returns of the national centre were answered',
  example: 'returns: { R1: charged_back, R2: refused amount_wrong }',
  schema: mappingOf(name('a return'), text('charged_back, or refused and a reason'), 'answers by return'),
  check: async (world, said) => Object.entries(said).flatMap(([id, wanted]) => {
    const { outcome, reason } = known(world.answers, 'answer', `return ${id}`) as NationalReturnResult
    return compare(`return ${id}`, wanted, reason === null ? outcome : `${outcome} ${reason}`)
  })
})
