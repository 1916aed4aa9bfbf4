// Lives of cards, drawn from a seed and written as a scenario: made of blank chips, handed out, loaded, used,
// lost or broken, replaced, given back; and what everybody must have in the end, added up here from what was
// drawn and never asked of the ledger.
import { createRandom, type Random } from '../random.ts'
import { showYuan } from '../scenario/values.ts'

export type LivesOptions = { readonly cards: number, readonly seed: number }

const prices = { anonymous: 180, named: 180, student: 100 } as const
type CardType = keyof typeof prices
const fates = ['keeps', 'returned', 'damaged', 'broken', 'unreadable', 'lost', 'found'] as const
type Fate = typeof fates[number]
const depositFen = 2_000
/** Its files hold what a lane must remember of rides. */
const profile = 't-union'

type Life = {
  readonly card: string, readonly next: string, readonly person: string
  readonly type: CardType, readonly fate: Fate, readonly cashFen: number, readonly rides: number
  /** The first load was paid by bank, and waited for the chip. */
  readonly isByBank: boolean
  /** Where the card leaves the reader on its first ride; it is held there again at once. */
  readonly torn: 'before debit' | 'after debit' | null
  /** The same on its first load: whether the chip had committed to it decides what the next hold does. */
  readonly tornLoad: 'before credit' | 'after credit' | null
  /** At which WRITE KEY its chip leaves the issuing desk, from 1; it is held there again. */
  readonly tornMaking: number | null
  /** Of the next card. */
  readonly isReturnedLater: boolean
}

export type Lives = {
  readonly scenario: object
  /** Of all holders together: what they paid in is what they rode, got back and hold. */
  readonly totals: {
    readonly cards: number
    /** Cards that were made, next ones too; torn off the desk once; chips that refused a key. */
    readonly made: number, readonly tornMaking: number, readonly wasted: number
    readonly fates: Readonly<Record<Fate, number>>
    /** In a payment, and in a load: before the chip committed to it, and after. */
    readonly torn: number, readonly tornLoads: readonly [before: number, after: number]
    /** Over a counter, and by bank. */
    readonly cashFen: number, readonly bankFen: number
    readonly depositsFen: number, readonly ridesFen: number
    readonly paidFen: number, readonly keptFen: number, readonly chipsFen: number
    readonly depositsLeftFen: number
  }
}

/** More would not fit into the opening hours of a counter, a minute for each deed. */
export const cardsMax = 240
/** Held at once: as many as there are readers for, with a pair left for the issuing desk. */
const lanes = { rides: ['BUS-1', 'BUS-2', 'BUS-3', 'BUS-4'], loads: ['KIO-1', 'KIO-2'] } as const

/** `fixtures`: the files of the city, as paths from the scenario. */
export function planLives ({ cards, seed }: LivesOptions, fixtures: readonly string[]): Lives {
  if (cards > cardsMax) throw new RangeError(`${cards} cards: ${cardsMax} at most`)
  const lives = Array.from({ length: cards }, (_, place) =>
    drawLife(createRandom(`lives ${seed}/${place}`), place + 1))
  const ends = lives.map(endOf)
  return { scenario: scenarioOf(lives, ends, fixtures, seed), totals: totalsOf(lives, ends) }
}

function drawLife (random: Random, no: number): Life {
  const name = String(no).padStart(3, '0')
  const type = random.pick(['anonymous', 'anonymous', 'named', 'named', 'student'] as const)
  const fate = drawFate(random)
  return {
    card: `A${name}`, next: `N${name}`, person: `P${name}`, type,
    // A card that is nobody's in particular cannot be reported.
    fate: type === 'anonymous' && (fate === 'lost' || fate === 'found') ? 'keeps' : fate,
    cashFen: 1_000 * random.int(1, 9), rides: random.int(1, 3), isReturnedLater: random.chance(0.5),
    isByBank: random.chance(0.2),
    torn: random.pick([null, null, null, 'before debit', 'after debit'] as const),
    tornLoad: random.pick([null, null, 'before credit', 'after credit'] as const),
    tornMaking: random.chance(0.2) ? random.int(1, keysOfCard) : null
  }
}

/** That the desk writes. */
const keysOfCard = 7

const drawFate = (random: Random): Fate =>
  random.pick(['keeps', 'keeps', 'returned', 'returned', 'damaged', 'broken', 'unreadable', 'lost', 'found'])

/* ---- what must come of it ---- */

const hasNext = ({ fate }: Life): boolean => fate === 'broken' || fate === 'unreadable' || fate === 'lost'

type End = {
  /** What the first chip held when its life ended, or holds. */
  readonly chipFen: number
  readonly ridesFen: number
  /** On the chip that its holder has. */
  readonly holdsFen: number
  readonly paid: { readonly card: string, readonly valueFen: number, readonly depositFen: number } | null
  readonly keptFen: number
}

function endOf (life: Life): End {
  const { type, fate, cashFen, rides, card, next, isReturnedLater } = life
  const price = prices[type]
  const one = fate === 'found' ? 1 : 0
  const chipFen = cashFen - (rides + one) * price
  const ridesFen = (rides + one + Number(hasNext(life))) * price
  const laterFen = chipFen - price
  if (fate === 'returned') {
    return { chipFen, ridesFen, holdsFen: 0, paid: { card, valueFen: chipFen, depositFen }, keptFen: 0 }
  }
  if (fate === 'damaged') {
    const paid = { card, valueFen: chipFen, depositFen: 0 }
    return { chipFen, ridesFen, holdsFen: 0, paid, keptFen: depositFen }
  }
  if (!hasNext(life)) return { chipFen, ridesFen, holdsFen: chipFen, paid: null, keptFen: 0 }
  const moved = fate === 'lost' ? 0 : depositFen
  const keptFen = depositFen - moved
  if (!isReturnedLater) return { chipFen, ridesFen, holdsFen: laterFen, paid: null, keptFen }
  const paid = { card: next, valueFen: laterFen, depositFen: moved }
  return { chipFen, ridesFen, holdsFen: 0, paid, keptFen }
}

const sum = (amounts: readonly number[]): number => amounts.reduce((all, one) => all + one, 0)

function totalsOf (lives: readonly Life[], ends: readonly End[]): Lives['totals'] {
  const paid = ends.flatMap(end => end.paid ?? [])
  const depositsFen = lives.length * depositFen
  const keptFen = sum(ends.map(end => end.keptFen))
  return {
    cards: lives.length, made: lives.length + lives.filter(hasNext).length,
    tornMaking: lives.filter(life => life.tornMaking !== null).length, wasted: batchesOf(lives).length,
    fates: Object.fromEntries(fates.map(fate =>
      [fate, lives.filter(life => life.fate === fate).length])) as Record<Fate, number>,
    torn: lives.filter(life => life.torn !== null).length,
    tornLoads: [
      lives.filter(life => life.tornLoad === 'before credit').length,
      lives.filter(life => life.tornLoad === 'after credit').length],
    cashFen: sum(lives.map(life => life.isByBank ? 0 : life.cashFen)),
    bankFen: sum(lives.map(life => life.isByBank ? life.cashFen : 0)),
    depositsFen, ridesFen: sum(ends.map(end => end.ridesFen)),
    paidFen: sum(paid.map(one => one.valueFen + one.depositFen)), keptFen,
    chipsFen: sum(ends.map(end => end.holdsFen)),
    depositsLeftFen: depositsFen - keptFen - sum(paid.map(one => one.depositFen))
  }
}

/* ---- as a scenario ---- */

type Step = Readonly<Record<string, unknown>>

function scenarioOf (
  lives: readonly Life[], ends: readonly End[], fixtures: readonly string[], seed: number
): object {
  const named = lives.filter(({ type }) => type !== 'anonymous')
  const seconds = lives.filter(hasNext)
  const of = (...wanted: readonly Fate[]) => lives.filter(({ fate }) => wanted.includes(fate))
  const clock = clockOf()
  const byBank = lives.filter(life => life.isByBank)
  const cardsOf = (some: readonly Life[]): string[] => some.map(({ card }) => card)
  const nextOf = (some: readonly Life[]): string[] => some.map(({ next }) => next)
  const ride = (cards: readonly string[], torn: object = {}): Step[] =>
    cards.length === 0 ? [] : [{ at: clock.next(), taps: { cards, lanes: lanes.rides, torn } }]
  const top = (pending: readonly string[], cash: object = {}, torn: object = {}): Step[] =>
    pending.length + Object.keys(cash).length === 0
      ? []
      : [{ at: clock.next(), loads: { cash, pending, lanes: lanes.loads, torn } }]
  const tornRides = lives.filter(({ torn }) => torn !== null)
  const replace = (life: Life, more: object): Step =>
    ({ at: clock.next(), replace_card: { card: life.card, to: life.next, ...more } })
  const move = ({ card }: Life, move: string, by: string): Step => ({ move_card: { card, move, by } })
  const back = (life: Life, card: string): Step =>
    ({ return_card: { card, outlet: 'KIO', ...life.fate === 'damaged' ? { damaged: true } : {} } })
  const close = (day: string): Step => ({ at: clock.morning(), close_day: day })
  const acts = [
    {
      act: 'made of blank chips, handed out, loaded and used',
      when: [
        ...made(lives, clock.next()),
        ...named.map(({ person, card }) => ({ issue_to: { person, card } })),
        ...byBank.length === 0 ? [] : paidByBank(byBank, clock.next()),
        ...top(
          cardsOf(byBank),
          Object.fromEntries(lives.filter(life => !life.isByBank)
            .map(({ card, cashFen }) => [card, showYuan(cashFen)])),
          Object.fromEntries(lives.flatMap(({ card, tornLoad }) =>
            tornLoad === null ? [] : [[card, tornLoad]]))),
        ...ride(cardsOf(tornRides), Object.fromEntries(tornRides.map(({ card, torn }) => [card, torn]))),
        ...ride(cardsOf(tornRides)),
        ...[1, 2, 3].flatMap(nth => ride(cardsOf(lives.filter(({ rides, torn }) =>
          rides >= nth && (nth > 1 || torn === null)))))]
    },
    {
      act: 'broken, lost, given back',
      when: [
        ...of('broken').map(life => replace(life, { why: 'damage' })),
        ...of('unreadable').map(life => replace(life, { why: 'quality', unreadable: true })),
        ...of('lost', 'found').map(life => move(life, 'report_orally', 'hotline')),
        ...of('returned', 'damaged').map(life => back(life, life.card)),
        close('D')]
    },
    {
      act: 'the next day: found again, or not; what was broken works again',
      when: [
        { at: clock.next(), fetch_blacklist: { terminal: 'BUS-1', as: 'list' } },
        ...of('found').map(life => move(life, 'lift_oral', 'clerk')),
        ...ride(cardsOf(of('found'))),
        ...of('lost').flatMap(life => [move(life, 'report_loss', 'clerk'), replace(life, { why: 'lost' })]),
        ...top(nextOf(of('broken', 'unreadable'))), ...ride(nextOf(of('broken', 'unreadable'))),
        close('D+1')]
    },
    {
      act: 'the day after: the value of lost cards is there',
      when: [
        ...top(nextOf(of('lost'))), ...ride(nextOf(of('lost'))),
        ...seconds.filter(life => life.isReturnedLater).map(life => back(life, life.next)),
        close('D+2')],
      then: whatMustBe(lives, ends)
    }]
  return {
    scenario: `${lives.length} lives of cards, seed ${seed}`, use: fixtures,
    given: {
      policies: { replacement_wait_days: 1 },
      bank_accounts: ['ISS'],
      parties: { KIO: { kind: 'agent', name: 'Kiosks', zh: '报亭' } },
      terminals: {
        'BUS-3': { operator: 'BUS' }, 'BUS-4': { operator: 'BUS' },
        ...Object.fromEntries(lanes.loads.map(lane => [lane, { operator: 'KIO' }]))
      },
      cards: Object.fromEntries([
        ...lives.map(({ card, type }) => [card, { type, profile, blank: true }]),
        ...seconds.map(({ next, type }) => [next, { type, profile, blank: true }])]),
      holders: Object.fromEntries(named.map(({ person }) => [person, []])),
      lanes: Object.fromEntries([
        ...lanes.rides.map(lane => [lane, { cards: profile, line: '1' }] as const),
        ...lanes.loads.map(lane => [lane, { mode: 'load', cards: profile }] as const)])
    },
    acts
  }
}

/** Of one type, and sold with a deposit, or to take the place of another. */
type MadeBatch = { readonly name: string, readonly firsts: readonly Life[], readonly nexts: readonly Life[] }

const batchesOf = (lives: readonly Life[]): MadeBatch[] =>
  (Object.keys(prices) as CardType[]).flatMap(type => {
    const all = lives.filter(life => life.type === type)
    return [
      { name: `${type}-first`, firsts: all, nexts: [] },
      { name: `${type}-next`, firsts: [], nexts: all.filter(hasNext) }]
  }).filter(({ firsts, nexts }) => firsts.length + nexts.length > 0)

/** In each batch one chip is waste. */
const made = (lives: readonly Life[], at: string): Step[] =>
  batchesOf(lives).map(({ name, firsts, nexts }, index) => ({
    ...index === 0 ? { at } : {},
    make_cards: {
      batch: name, cards: [...firsts.map(({ card }) => card), ...nexts.map(({ next }) => next)], spoils: 1,
      ...firsts.length === 0 ? {} : { sold_by: 'KIO', deposit: showYuan(depositFen) },
      torn: Object.fromEntries(firsts.flatMap(({ card, tornMaking }) =>
        tornMaking === null ? [] : [[card, tornMaking]]))
    }
  }))

const paidByBank = (lives: readonly Life[], at: string): Step[] => [
  { at, bank_statement: { day: 'D', lines: lives.map(({ cashFen }) => ({ amount: showYuan(cashFen) })) } },
  {
    holder_paid: {
      cards: Object.fromEntries(lives.map(({ card, cashFen }) => [card, showYuan(cashFen)])), by: 'clerk',
      approved_by: ['approver-1']
    }
  }]

function whatMustBe (lives: readonly Life[], ends: readonly End[]): Step[] {
  const totals = totalsOf(lives, ends)
  const byCard = <T>(pick: (life: Life, end: End) => readonly (readonly [string, T])[]) =>
    Object.fromEntries(lives.flatMap((life, at) => pick(life, ends[at] as End)))
  const states = byCard((life, end): [string, object][] => [
    [life.card, {
      state: hasNext(life) ? 'void' : end.paid?.card === life.card ? 'cancelled' : 'normal',
      ...life.type === 'anonymous' ? {} : { holder: hasNext(life) ? 'nobody' : life.person }
    }],
    ...hasNext(life)
      ? [[life.next, {
          state: end.paid === null ? 'normal' : 'cancelled',
          holder: life.type === 'anonymous' ? 'nobody' : life.person
        }] as [string, object]]
      : []])
  return [
    { card_lives: states },
    {
      cards: byCard((life, { holdsFen, paid }): [string, object][] => [
        [life.card, {
          shadow: showYuan(hasNext(life) || paid?.card === life.card ? 0 : holdsFen), open_items: 0
        }],
        ...hasNext(life) ? [[life.next, { shadow: showYuan(holdsFen) }] as [string, object]] : []])
    },
    {
      returned: byCard((_, { paid, keptFen }) => paid === null
        ? []
        : [[paid.card, {
            outlet: 'KIO', value: showYuan(paid.valueFen), deposit: showYuan(paid.depositFen),
            ...paid.card.startsWith('A') ? { deposit_kept: showYuan(keptFen) } : {},
            paid: showYuan(paid.valueFen + paid.depositFen)
          }]])
    },
    {
      replaced: byCard((life, { chipFen }) =>
        hasNext(life) ? [[life.card, { by: life.next, moved: showYuan(chipFen) }]] : [])
    },
    { changes: { purses: showYuan(totals.chipsFen), custody: showYuan(totals.bankFen) } },
    {
      accounts: {
      // What it took at its tills less what it paid there: closed days have netted it.
        'KIO settlement': showYuan(totals.paidFen - totals.cashFen - totals.depositsFen),
        'KIO receivable': '0.00',
        'pending load': '0.00', unidentified: '0.00', 'commerce/moving-value': '0.00',
        deposits: showYuan(totals.depositsLeftFen),
        'commerce/fee-income': showYuan(totals.keptFen), sum: '0.00'
      }
    },
    { audit: { ok: true } }, { verify: { ok: true } }]
}

/** A minute from one step to the next, from six in the morning of D on. */
function clockOf (): { next: () => string, morning: () => string } {
  let [day, minute] = [0, 6 * 60]
  const two = (number: number): string => String(number).padStart(2, '0')
  const text = (): string =>
    `D${day === 0 ? '' : `+${day}`} ${two(Math.floor(minute / 60))}:${two(minute % 60)}`
  return {
    next: () => {
      minute += 1
      if (minute >= 24 * 60) throw new RangeError('the day is not long enough for so many cards: 240 at most')
      return text()
    },
    morning: () => {
      [day, minute] = [day + 1, 60]
      return text()
    }
  }
}
