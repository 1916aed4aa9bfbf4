// The blacklist as a row of numbered changes, because a terminal is told what it missed: the numbers go on
// whatever version the list has, and across restarts. It refuses to know terminals.
import { join } from 'node:path'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/value'
import type { ListChange } from '../../schemas/polled/messages.ts'
import { cardKey, type CardRef, parseCardKey } from '../../schemas/record.ts'
import { keepJson, readKept } from '../uplink/keep.ts'

/** The list as the gateway holds it. */
export type HeldList = { readonly version: number, readonly cards: readonly CardRef[] }

export type ChangeBook = {
  readonly version: number
  /** Of the last change. */
  readonly serial: number
  /** Takes up what the gateway's list has become. Throws where that cannot be kept: it stays as it was. */
  follow (list: HeldList | null): void
  /** What a terminal at `serial` misses, oldest first; null where only the whole list helps. */
  since (serial: number): readonly ListChange[] | null
  /** The same for one that gets the whole list now, and has it up to `serial`. */
  rest (serial: number): readonly ListChange[]
  /** The whole list as changes since nothing. */
  whole (): readonly ListChange[]
}

const Kept = Type.Object({
  version: Type.Integer(),
  serial: Type.Integer(),
  /** Up to which removals are forgotten. */
  forgotten: Type.Integer(),
  on: Type.Array(Type.Tuple([Type.Integer(), Type.String()])),
  off: Type.Array(Type.Tuple([Type.Integer(), Type.String()]))
}, { additionalProperties: false })
type Kept = Static<typeof Kept>

/** Removals that are remembered; a terminal that missed older ones gets the whole list. */
export const removalsMax = 5_000

export function openChangeBook (dir: string, removalsKept = removalsMax): ChangeBook {
  const path = join(dir, 'blacklist-changes.json')
  const content = readKept(path)
  let book: Kept = Check(Kept, content) ? content : { version: 0, serial: 0, forgotten: 0, on: [], off: [] }
  // Read with each packet of each terminal, and made with each list only.
  let all = changesIn(book)
  let whole = all.filter(({ on }) => on)

  function follow (list: HeldList | null): void {
    if (list === null || list.version === book.version) return
    const next = afterChange(book, list, removalsKept)
    keepJson(path, next) // first: numbers that a terminal has heard are never given to something else
    book = next
    all = changesIn(book)
    whole = all.filter(({ on }) => on)
  }

  const rest = (serial: number): readonly ListChange[] => all.slice(firstAfter(all, serial))

  return {
    get version () { return book.version },
    get serial () { return book.serial },
    follow,
    since: serial => serial > book.serial || serial < book.forgotten ? null : rest(serial),
    rest,
    whole: () => whole
  }
}

/** Pure: the next book, with a number for each card that came or went. */
function afterChange (book: Kept, { version, cards }: HeldList, removalsKept: number): Kept {
  const wanted = new Set(cards.map(cardKey))
  const known = new Set(book.on.map(([, key]) => key))
  const added = [...wanted].filter(key => !known.has(key)).sort()
  const removed = [...known].filter(key => !wanted.has(key)).sort()
  const { serial } = book
  const off = [
    ...book.off.filter(([, key]) => !wanted.has(key)),
    ...removed.map((key, index): [number, string] => [serial + 1 + index, key])
  ]
  const dropped = off.slice(0, Math.max(0, off.length - removalsKept))
  return {
    version,
    serial: serial + removed.length + added.length,
    forgotten: dropped.at(-1)?.[0] ?? book.forgotten,
    on: [
      ...book.on.filter(([, key]) => wanted.has(key)),
      ...added.map((key, index): [number, string] => [serial + removed.length + 1 + index, key])
    ],
    off: off.slice(dropped.length)
  }
}

const changes = (rows: Kept['on'], on: boolean): ListChange[] =>
  rows.map(([serial, key]) => ({ serial, on, card: parseCardKey(key) as CardRef }))

const changesIn = ({ on, off }: Kept): readonly ListChange[] =>
  [...changes(on, true), ...changes(off, false)].sort((one, other) => one.serial - other.serial)

/** Where those behind `serial` begin. */
function firstAfter (all: readonly ListChange[], serial: number): number {
  let [low, high] = [0, all.length]
  while (low < high) {
    const middle = low + high >> 1
    if ((all[middle]?.serial ?? 0) > serial) high = middle
    else low = middle + 1
  }
  return low
}
