// then: the proof of the books, and the auditor's word on every fen.
import { Type } from 'typebox'
import type { VerifyReport } from '../../../schemas/api.ts'
import { audit, type ChipState } from '../../auditor/audit.ts'
import { mappingOf } from '../check.ts'
import { name, showYuan, text, whole, yes, yuan } from '../values.ts'
import { compare, thenVerb } from '../verb.ts'
import { known, type Chip, type World } from '../world.ts'

const closed = { additionalProperties: false } as const

export const verify = thenVerb({
  says: 'whether the ledger can rebuild and prove its books; said only where it cannot',
  example: 'verify: { ok: false, says: purse }',
  schema: Type.Object(
    { ok: yes('true or false'), says: Type.Optional(text('words that stand in a failed check')) },
    closed
  ),
  check: async (world, said) => {
    const report = await verification(world)
    const failed = report.checks
      .filter(one => !one.ok)
      .map(one => `${one.check}: ${one.detail}`)
      .join('; ')
    return [
      ...compare('verify', said.ok ? 'ok' : 'not ok', report.ok ? 'ok' : 'not ok'),
      ...(said.says === undefined || failed.includes(said.says)
        ? []
        : [{ what: 'verify says', expected: said.says, found: failed }])
    ]
  }
})

export const verification = (world: World): Promise<VerifyReport> =>
  world.api.call({ method: 'POST', path: '/v1/verify', as: 'auditor', json: {} }) as Promise<VerifyReport>

export const auditVerb = thenVerb({
  says: 'an auditor explains every fen between chips and ledger, or cannot; chips as records left them',
  example: 'audit: { ok: true, chips: { A: { balance: 48.20, counter: 101 } }, explained: { A: 0.00 } }',
  schema: Type.Object(
    {
      ok: yes('false: some fen stays unexplained'),
      chips: Type.Optional(
        mappingOf(
          name('a card'),
          Type.Object(
            {
              balance: Type.Optional(yuan('what the chip holds')),
              counter: Type.Optional(whole('its offline counter'))
            },
            closed
          ),
          'what chips hold'
        )
      ),
      explained: Type.Optional(
        mappingOf(name('a card'), yuan('what the ledger owes beyond the chip, explained'), 'by card')
      )
    },
    closed
  ),
  check: async (world, said) => {
    const chips = await Promise.all(
      [...world.chips.values()].map(chip => stateOf(world, chip, said.chips?.[chip.name]))
    )
    for (const card of Object.keys(said.chips ?? {})) known(world.chips, 'card', card)
    const report = await audit({ ledgerUrl: world.ledgerUrl(), token: world.access.tokens.auditor, chips })
    const wrong = report.problems.join('; ')
    return [
      ...compare(
        'audit',
        said.ok ? 'every fen explained' : 'not explained',
        report.ok ? 'every fen explained' : said.ok ? wrong : 'not explained'
      ),
      ...Object.entries(said.explained ?? {}).flatMap(([card, wanted]) => {
        const { serial } = known(world.chips, 'card', card).ref
        const line = report.cards.find(one => one.card.serial === serial)
        return compare(
          `audit of card ${card}, difference`,
          showYuan(wanted),
          line === undefined ? 'not there' : showYuan(line.differenceFen)
        )
      })
    ]
  }
})

/** What is said, else what the real chip holds, else what the records of the scenario left on it. */
async function stateOf (
  world: World,
  chip: Chip,
  told: { balance?: number, counter?: number } = {}
): Promise<ChipState> {
  const purse = (await world.readers?.inspect(chip.name))?.purse
  return {
    card: chip.ref,
    balanceFen: told.balance ?? purse?.balanceFen ?? chip.balanceFen,
    counter: told.counter ?? purse?.offlineCounter ?? chip.counter,
    opening: chip.opening,
    loads: chip.loads
  }
}
