// then: what was claimed from the treasury, of what it consists, and what came.
import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import {
  treasuryClaimStates, type TreasuryClaimDocument, type TreasuryClaimView
} from '../../../schemas/treasury.ts'
import { mappingOf } from '../check.ts'
import { countAmount, day, oneOf, showCountAmount, text, whole, yuan } from '../values.ts'
import { compare, thenVerb } from '../verb.ts'
import { money, plain } from './balances.ts'

export const treasuryClaim = thenVerb({
  says: 'a claim on the treasury: its lines sum to the total, and its digest is that of the document',
  example: 'treasury_claim: { claim: 1, total: 13.60, state: paid, lines: { BUS senior: 5 / 10.00 } }',
  schema: Type.Object(
    {
      claim: whole('its number'),
      from: Type.Optional(day('its first day')), until: Type.Optional(day('its last day')),
      total: Type.Optional(yuan('all of it')), paid: Type.Optional(yuan('what came of it')),
      state: Type.Optional(oneOf(treasuryClaimStates, 'told, short, paid')),
      lines: Type.Optional(mappingOf(text('OPERATOR CATEGORY'), countAmount(),
        'transfers and amounts by operator and category, all of them')),
      services: Type.Optional(mappingOf(text('a service'), yuan(), 'amounts by service, all of them'))
    },
    { additionalProperties: false }
  ),
  check: async (world, said) => {
    const path = `/v1/treasury/claims/${said.claim}`
    const claim = await world.api.get<TreasuryClaimView>(path)
    const document = await world.api.get<TreasuryClaimDocument>(`${path}/document`)
    const { lines } = document
    const what = `claim ${said.claim}`
    const sums = new Map<string, { count: number, amountFen: number }>()
    const services = new Map<string, number>()
    for (const { operator, category, service, count, amountFen } of lines) {
      const key = `${operator ?? 'house'} ${category ?? 'none'}`
      const so = sums.get(key) ?? { count: 0, amountFen: 0 }
      sums.set(key, { count: so.count + count, amountFen: so.amountFen + Number(amountFen) })
      services.set(service ?? 'none', (services.get(service ?? 'none') ?? 0) + Number(amountFen))
    }
    const shown = (of: Iterable<readonly [string, { count: number, amountFen: number }]>) =>
      [...of].map(([key, sum]) => `${key} ${showCountAmount(sum)}`).sort().join(', ')
    const byService = (of: Iterable<readonly [string, number]>) =>
      [...of].map(([key, fen]) => `${key} ${fen}`).sort().join(', ')
    const digest = createHash('sha256').update(sorted(document)).digest('hex').toUpperCase()
    return [
      ...plain(`${what}: from`, said.from, claim.from),
      ...plain(`${what}: until`, said.until, claim.until),
      ...money(`${what}: total`, said.total, Number(claim.totalFen)),
      ...money(`${what}: paid`, said.paid, Number(claim.paidFen)),
      ...plain(`${what}: state`, said.state, claim.state),
      ...said.lines === undefined
        ? []
        : compare(`${what}: lines`, shown(Object.entries(said.lines)), shown(sums)),
      ...said.services === undefined
        ? []
        : compare(`${what}: services`, byService(Object.entries(said.services)), byService(services)),
      ...compare(`${what}: the lines sum to the total`, String(claim.totalFen),
        String(lines.reduce((sum, { amountFen }) => sum + Number(amountFen), 0))),
      ...compare(`${what}: the digest is of the document`, claim.digest, digest)
    ]
  }
})

/** As the schema of the document says it: keys in order, no spaces. */
function sorted (value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sorted).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const keys = Object.keys(value).sort()
  return `{${keys.map(key =>
    `${JSON.stringify(key)}:${sorted((value as Record<string, unknown>)[key])}`).join(',')}}`
}
