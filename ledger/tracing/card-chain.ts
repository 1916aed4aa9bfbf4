// The report of card chains by age, and the purses behind each band. It refuses to know what is done about
// them.
import {
  chainBands, unexplained, type CardChainReport, type DifferingPurse
} from '../../schemas/card-chain.ts'
import { cardKey } from '../../schemas/record.ts'
import { formatIso } from '../../runtime/instants.ts'
import type { Ledger } from '../ledger.ts'
import { readBands, readPopulation, type DifferingFilter, type DifferingRow } from '../store/card-chain.ts'

const names = Object.keys(chainBands)
const from: readonly number[] = Object.values(chainBands)

export async function cardChainReport ({ db, clock }: Ledger): Promise<CardChainReport> {
  const atMs = clock.now()
  const { purses, shadowFen, chipFen, differing } = await readPopulation(db)
  const found = new Map((await readBands(db, atMs, from)).map(row => [bandName(row.band), row]))
  return {
    at: formatIso(atMs),
    population: {
      purses: Number(purses), shadowFen: Number(shadowFen), chipFen: Number(chipFen),
      differenceFen: Number(shadowFen - chipFen), differing: Number(differing)
    },
    bands: [...names, unexplained].map(band => {
      const { purses = 0n, moreFen = 0n, lessFen = 0n } = found.get(band) ?? {}
      return {
        band, purses: Number(purses), moreFen: Number(moreFen), lessFen: Number(lessFen),
        differenceFen: Number(moreFen - lessFen),
        links: { cards: `/v1/reports/card-chain/cards?band=${encodeURIComponent(band)}` }
      }
    })
  }
}

/** Bands are counted from 1; an item of the future is as young as one of now. */
const bandName = (band: number | null): string =>
  band === null ? unexplained : names[Math.max(1, band) - 1] ?? unexplained

export type DifferingAsked = {
  readonly band: string | null, readonly after: string | null, readonly limit: number | null
}

/** From a query to what it means. */
export function differingFilter ({ clock }: Ledger, { band, after, limit }: DifferingAsked): DifferingFilter {
  const [cardId = '0', purse = '0'] = (after ?? '').split('.').filter(Boolean)
  const place = band === null ? null : band === unexplained ? -1 : names.indexOf(band) + 1
  return {
    nowMs: clock.now(), from, band: place, after: { cardId: BigInt(cardId), purse: Number(purse) }, limit
  }
}

export const placeOfPurse = ({ cardId, purse }: DifferingRow): string => `${cardId}.${purse}`

export function differingPurse (row: DifferingRow, nowMs: number): DifferingPurse {
  const { issuer, serial, issue, shadowFen, chipFen, openedAtMs } = row
  const card = { issuer, serial, issue }
  return {
    card, purse: row.purse === 2 ? 'ep' : 'ed', type: row.cardType, shadowFen: Number(shadowFen),
    chipFen: Number(chipFen), differenceFen: Number(shadowFen - chipFen), lastCounter: row.lastCounter,
    openItems: row.items, since: openedAtMs === null ? null : formatIso(openedAtMs),
    band: bandOf(openedAtMs, nowMs), links: { chain: `/v1/cards/${cardKey(card)}/chain` }
  }
}

export function bandOf (openedAtMs: number | null, nowMs: number): string {
  if (openedAtMs === null) return unexplained
  const days = (nowMs - openedAtMs) / 86_400_000
  return bandName(from.filter(day => day <= days).length)
}
