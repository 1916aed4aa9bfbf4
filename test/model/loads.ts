// Value that chips take, from the rules alone: asked for, told by its terminal or never, and then decided by
// the chip's online counter, by its next debit or by a reading. It refuses to know what else chips do.
import type { Online } from './online.ts'
import { tenMinutesMs, type Event, type Reading, type World } from './verdicts.ts'

/** Value for a chip, as it was asked for. */
export type NewLoad = {
  readonly card: number, readonly counter: number, readonly beganFen: number, readonly fen: number
  readonly onlineCounter: number, readonly source: 'agent' | 'pending'
}
export type LoadState = 'open' | 'written' | 'not_written' | 'declined'
export type Load = NewLoad & { readonly reason: string, readonly asked: World, state: LoadState }
/** What a terminal saw of a load, or a later one of the chip's counter. */
export type ToldLoad =
  | { readonly outcome: 'written', readonly tacRight: boolean } | { readonly outcome: 'withdrawn' }
  | { readonly outcome: 'counted', readonly onlineCounter: number }

export function newLoads ({ isBlocked, online, givenBackFen }: {
  readonly isBlocked: (card: number) => boolean
  readonly online: Pick<Online, 'loadLimit' | 'countLoad'>
  /** What was given back to the holder of a card. */
  readonly givenBackFen: (card: number) => number
}) {
  const loads = new Map<string, Load>()
  /** In the order in which they became known. */
  const written: Load[] = []

  const openLoads = (): Load[] => [...loads.values()].filter(({ state }) => state === 'open')

  /** Those that took money and have not given it back. */
  const standing = (): Load[] =>
    [...loads.values()].filter(({ state }) => state === 'open' || state === 'written')

  /** Why it is declined, or `ok`. The chip's online counter tells what became of the load before. */
  function ask (key: string, load: NewLoad, world: World): string {
    const first = loads.get(key)
    if (first !== undefined) return first.reason
    for (const open of openLoads()) if (open.card === load.card) byCounter(open, load.onlineCounter)
    const reason = refusalOf(load, world) ?? 'ok'
    if (reason === 'ok' && load.source === 'agent') online.countLoad(load.card, load.fen, world.date)
    loads.set(key, { ...load, reason, asked: world, state: reason === 'ok' ? 'open' : 'declined' })
    return reason
  }

  function refusalOf ({ card, fen, source, onlineCounter }: NewLoad, world: World): string | null {
    if (isBlocked(card)) return 'card_blocked'
    if (written.some(one => one.card === card && one.onlineCounter >= onlineCounter)) return 'counter_wrong'
    if (source === 'agent') return online.loadLimit(card, fen, world.date)
    return fen > waitingFen(card) ? 'pending_insufficient' : null
  }

  /** What was given back and no load has taken. */
  const waitingFen = (card: number): number => givenBackFen(card) - standing()
    .filter(one => one.card === card && one.source === 'pending').reduce((sum, { fen }) => sum + fen, 0)

  function end (load: Load, isWritten: boolean): void {
    load.state = isWritten ? 'written' : 'not_written'
    if (isWritten) written.push(load)
    else if (load.source === 'agent') online.countLoad(load.card, -load.fen, load.asked.date)
  }

  /** A chip that has used the counter of a load has taken it. */
  function byCounter (load: Load, onlineCounter: number): void {
    if (onlineCounter >= load.onlineCounter) end(load, onlineCounter > load.onlineCounter)
  }

  /** A terminal that withdraws before it asked is declined whenever it asks. */
  function tell (key: string, card: number, told: ToldLoad, world: World): LoadState {
    const load = loads.get(key)
    if (load === undefined) {
      const never = { card, counter: 0, beganFen: 0, fen: 0, onlineCounter: 0, source: 'agent' as const }
      loads.set(key, { ...never, reason: 'withdrawn', asked: world, state: 'declined' })
      return 'declined'
    }
    if (load.state !== 'open') return load.state
    if (told.outcome === 'counted') byCounter(load, told.onlineCounter)
    else if (told.outcome === 'withdrawn') end(load, false)
    else if (told.tacRight) end(load, true)
    return load.state
  }

  /** By what the chip held: at its next debit, or the first time it was read after them. */
  function settle (
    standingAt: (card: number, counter: number) => Event | undefined, readings: readonly Reading[]
  ): void {
    for (const load of openLoads()) {
      const next = standingAt(load.card, load.counter + 1)
      const seen = readings.filter(one => one.card === load.card && one.counter === load.counter &&
        one.atMs > load.asked.nowMs + tenMinutesMs)
      const held = [...next === undefined ? [] : [next.beforeFen], ...seen.map(({ fen }) => fen)]
        .find(fen => fen === load.beganFen || fen === load.beganFen + load.fen)
      if (held !== undefined) end(load, held !== load.beganFen)
    }
  }

  return { ask, tell, settle, standing, written }
}
