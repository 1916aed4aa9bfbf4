// The report of card chains: what the ledger owes holders against what their chips said last, and for how
// long the two have differed.
import { Type, type Static } from 'typebox'
import { Fen, Instant } from './api.ts'
import { CardRef } from './record.ts'

const closed = { additionalProperties: false } as const
const fen = (description: string) => ({ ...Fen, description }) as typeof Fen
const Count = Type.Integer({ minimum: 0 })

/** Days from which each band begins; `unexplained` has no open item and so no age. */
export const chainBands = {
  'under 1 day': 0, '1 to 6 days': 1, '7 to 29 days': 7, '30 to 89 days': 30, '90 days and more': 90
} as const
export const unexplained = 'without an open item'
export const bandNames = [...Object.keys(chainBands), unexplained]
export const BandName = Type.String({ enum: bandNames })

const sums = {
  purses: Count,
  moreFen: fen('where we owe more than the chip says: records are missing'),
  lessFen: fen('where the chip holds more than we owe'),
  differenceFen: fen('more less less: shadow less chip')
}

export const CardChainReport = Type.Object({
  at: Instant,
  population: Type.Object({
    purses: Count, shadowFen: fen('what we owe holders'), chipFen: fen('what chips said last'),
    differenceFen: fen('shadow less chip'), differing: Count
  }, { ...closed, description: 'all purses of our own cards; the shadow is what the float owes holders' }),
  bands: Type.Array(Type.Object({
    band: BandName, ...sums, links: Type.Object({ cards: Type.String() }, closed)
  }, closed), { description: 'by the age of the oldest open item about the card; all of them are the whole' })
}, { ...closed, $id: 'CardChainReport' })
export type CardChainReport = Static<typeof CardChainReport>

export const DifferingPurse = Type.Object({
  card: CardRef,
  purse: Type.Union([Type.Literal('ep'), Type.Literal('ed')]),
  type: Type.String({ description: 'of the card' }),
  shadowFen: fen('what we owe for it'),
  chipFen: fen('what the chip said last'),
  differenceFen: fen('shadow less chip'),
  lastCounter: Type.Integer(),
  openItems: Count,
  since: Type.Union([Instant, Type.Null()], { description: 'when the oldest open item was opened' }),
  band: BandName,
  links: Type.Object({ chain: Type.String() }, closed)
}, { ...closed, $id: 'DifferingPurse' })
export type DifferingPurse = Static<typeof DifferingPurse>
