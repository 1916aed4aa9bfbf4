// when: terminals and parties tell their side, and a date is reconciled.
import { Type } from 'typebox'
import { countAmount, day, name, whole, yuan } from '../values.ts'
import { whenVerb } from '../verb.ts'
import { known, nextName, type World } from '../world.ts'
import { mappingOf } from '../check.ts'

const closed = { additionalProperties: false } as const
const classes = { consume: 'debits', return: 'value taken back off chips', load: 'loads' } as const
const total = (says: string) =>
  Type.Optional(countAmount(`${says} the terminal counted; 0 / 0.00 when absent`))
const none = { count: 0, amountFen: 0 }

export const terminalTotals = whenVerb({
  says: 'a terminal tells its totals by class over a range of its PSAM, and is answered with a code',
  example: 'terminal_totals: { as: evening, terminal: BUS-1, consume: 4 / 7.30, load: 1 / 50.00 }',
  schema: Type.Object(
    {
      as: Type.Optional(name('a name for the answer, which is also the number of the batch')),
      terminal: name('a terminal'),
      from: Type.Optional(whole('first PSAM sequence; 1 when absent')),
      to: Type.Optional(whole('last PSAM sequence; the last one used when absent')),
      consume: total(classes.consume),
      return: total(classes.return),
      load: total(classes.load)
    },
    closed
  ),
  plan: (world, said) => {
    const batch = said.as ?? nextName(world, 'batch')
    return [
      {
        act: async () => {
          const { operator, psam } = known(world.terminals, 'terminal', said.terminal)
          const { number, sequence } = known(world.psams, 'PSAM', psam)
          const { consume = none, return: back = none, load = none } = said
          const json = {
            operator, terminal: said.terminal, batch, psam: number, issue: 1, fromSequence: said.from ?? 1,
            toSequence: said.to ?? sequence, consume, return: back, load
          }
          const path = '/v1/terminal-totals'
          const answer = await world.api.call({ method: 'POST', path, as: 'gateway', json })
          world.answers.set(`terminal totals ${batch}`, answer)
        }
      }
    ]
  }
})

export const partyPosition = whenVerb({
  says: 'a party tells what it claims for a day, with the files and records it is made of',
  example: 'party_position: { party: BUS, day: D, claims: 5.40, files: { bus: 3.60 } }',
  schema: Type.Object(
    {
      party: name('an operator or agent'),
      day: day(),
      claims: yuan('claims and adjustments, before commission'),
      files: Type.Optional(mappingOf(name('a file'), yuan(), 'what was accepted of files')),
      records: Type.Optional(mappingOf(name('a record'), yuan(), 'what was accepted of records'))
    },
    closed
  ),
  plan: (world, { party, day: date, claims, files = {}, records = {} }) => [
    {
      act: async () => {
        const items = [
          ...Object.entries(files).map(([file, amountFen]) =>
            ({ ref: known(world.files, 'file', file).name, amountFen })),
          ...Object.entries(records).map(([label, amountFen]) => ({ ref: refOf(world, label), amountFen }))
        ]
        const json = { party, date, claimsFen: claims, items }
        await world.api.call({ method: 'POST', path: '/v1/party-positions', as: { staff: 'settler' }, json })
      }
    }
  ]
})

/** What an operator calls a record: its PSAM and the number there. */
function refOf (world: World, label: string): string {
  const { psam, sequence } = known(world.records, 'record', label).record
  return `${psam}/${sequence}`
}

export const reconcileDay = whenVerb({
  says: 'all layers of reconciliation are run for a day',
  example: 'reconcile: D',
  schema: day(),
  plan: (world, date) => [
    {
      act: async () => {
        const path = `/v1/reconciliation/${date}`
        await world.api.call({ method: 'POST', path, as: { staff: 'settler' }, json: {} })
      }
    }
  ]
})
