// A made-up city's tariffs for tests of pricing: flat bus lines, a section bus of each mode, a metro of three
// owners, transfers, caps, a ladder, concessions; a second version from 2026-03-02 05:00 on.
import { checkDocument } from '../../schemas/tariff/check-document.ts'
import type { TariffDocument } from '../../schemas/tariff/document.ts'
import { faresOf, type Fares } from '../../schemas/tariff/fares.ts'
import type { CardHistory, Entitlement, Tap } from '../../schemas/tariff/journey.ts'

/** Metres from the first station. */
export const stations = {
  M0: 0, M1: 6_000, M2: 6_010, M3: 12_000, M4: 12_500, M5: 22_000, M6: 32_100, M7: 52_100
} as const
export const stages = { X0: 0, X1: 1, X2: 2, X3: 3, X4: 4 } as const

const owners = [['MET', 0, 13_200], ['MET2', 13_200, 21_100], ['MET3', 21_100, 60_000]] as const

function pairs () {
  const all = Object.entries(stations)
  return all.flatMap(([from, start], at) => all.slice(at + 1).map(([to, end]) => ({
    from, to,
    legs: owners.map(([operator, begins, ends]) =>
      ({ operator, metres: Math.max(0, Math.min(end, ends) - Math.max(start, begins)) }))
      .filter(({ metres }) => metres > 0)
  })))
}

const window = { windowSeconds: 3_600, measured: 'start_start' } as const

export const firstDocument: TariffDocument = {
  version: 1,
  from: '2026-01-01T00:00:00+08:00',
  currency: 'CNY',
  utcOffsetMinutes: 480,
  transitDay: { startsAtMinute: 270, crossing: 'start' },
  duplicateTapSeconds: 5,
  services: [
    { id: 'bus', operators: ['BUS'], group: 'bus', fare: { kind: 'flat', fullFen: 200, cardFen: 180 } },
    {
      id: 'marking bus', operators: ['BUS'], lines: ['S1'], group: 'bus',
      fare: { kind: 'section', mode: 'mark', stages, faresFen: [200, 300, 400], openMinutesMax: 180 }
    },
    {
      id: 'debiting bus', operators: ['BUS'], lines: ['S2'], group: 'bus',
      fare: { kind: 'section', mode: 'debit', stages, faresFen: [200, 300, 400], openMinutesMax: 180 }
    },
    {
      id: 'metro', operators: ['MET', 'MET2', 'MET3'],
      fare: {
        kind: 'distance',
        steps: [
          { uptoM: 6_000, fareFen: 300 }, { uptoM: 12_000, fareFen: 400 }, { uptoM: 22_000, fareFen: 500 },
          { uptoM: 32_000, fareFen: 600 }
        ],
        beyond: { everyM: 20_000, addFen: 100 },
        pairs: pairs(), incompleteFen: 900, openMinutesMax: 360,
        overTime: { minutes: 240, surchargeFen: 300 }
      }
    }
  ],
  transfers: [
    { from: 'bus', to: 'bus', ...window, otherLine: true, price: { kind: 'fare', fen: 0 } },
    { from: 'bus', to: 'metro', ...window, price: { kind: 'add', fen: -100 } },
    { from: 'metro', to: 'bus', ...window, price: { kind: 'fare', fen: 80 } }
  ],
  caps: [
    { id: 'adult day', period: 'day', capFen: 1_500, classes: ['ordinary'] },
    { id: 'adult week', period: 'week', capFen: 6_000, classes: ['ordinary'] }
  ],
  concessions: {
    student: { fares: { bus: { kind: 'fare', fen: 100 }, metro: { kind: 'rate', paidPpm: 500_000 } } },
    senior: {
      fares: { bus: { kind: 'fare', fen: 0 } }, dailyMax: 5, beyond: 'decline',
      treasury: { sharePpm: 1_000_000, reference: 'full' }
    }
  }
}

export const secondDocument: TariffDocument = {
  ...firstDocument,
  version: 2,
  from: '2026-03-02T05:00:00+08:00',
  services: firstDocument.services.map(service => service.id === 'bus'
    ? { ...service, fare: { kind: 'flat', fullFen: 200, cardFen: 200 } }
    : service)
}

/** For random days: a ladder that is reached within a day, lower caps, companions beside the holder. */
export const busyDocuments: readonly TariffDocument[] = [firstDocument, secondDocument].map(document => ({
  ...document,
  ladders: [{
    id: 'metro', groups: ['metro'],
    steps: [
      { fromFen: 1_000, paidPpm: 800_000 }, { fromFen: 1_500, paidPpm: 500_000 },
      { fromFen: 2_500, paidPpm: 1_000_000 }
    ]
  }],
  caps: [
    { id: 'day', period: 'day', capFen: 1_500, classes: ['ordinary'] },
    { id: 'week', period: 'week', capFen: 3_300, classes: ['ordinary'] }
  ]
}))

export function faresFrom (...documents: readonly TariffDocument[]): Fares {
  for (const document of documents) {
    const checked = checkDocument(structuredClone(document))
    if (!checked.ok) throw new Error(JSON.stringify(checked.problems))
  }
  return faresOf(documents)
}

/** `2026-03-02 08:00:00` in Hengyang. */
export const at = (local: string): number => Date.parse(`${local.replace(' ', 'T')}+08:00`)

/** A tap in few words: a bus line or a station and a gate. */
export function tap (counter: number, local: string, more: Partial<Tap> = {}): Tap {
  const { line = '1', vehicle = 'V1' } = more
  return {
    counter, atMs: at(local), operator: 'BUS', line, vehicle, reader: `${line}/${vehicle}`, stop: null,
    sense: 'either', rider: 1, riders: 1, ...more
  }
}

export const gate = (
  counter: number, local: string, sense: 'in' | 'out', stop: string, more: Partial<Tap> = {}
): Tap => tap(counter, local, {
  operator: 'MET', line: '', vehicle: '', reader: `${stop}/${sense}`, stop, sense, ...more
})

export const history = (
  taps: readonly Tap[], entitlements: readonly Entitlement[] = [],
  corrections: CardHistory['corrections'] = []
): CardHistory => ({ taps, entitlements, corrections })

export const student = (until: string): Entitlement => ({ class: 'student', from: null, until })
export const senior: Entitlement = { class: 'senior', from: null, until: null }
