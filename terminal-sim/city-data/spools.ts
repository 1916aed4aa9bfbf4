// How many lines of each operator lie with it because the ledger has not answered them yet: the depth of its
// spool. It refuses to know how they travel.

export type Spools = {
  /** Lines that are to be delivered. */
  taken (party: string, lines: number): void
  /** Lines that the ledger has answered, whatever it said of them. */
  answered (party: string, lines: number): void
  /** Parties in the order in which they were first heard of, also those that have nothing left. */
  depths (): ReadonlyMap<string, number>
  /** As people read it. */
  words (): string
}

export function openSpools (): Spools {
  const depths = new Map<string, number>()
  const move = (party: string, lines: number): void => {
    depths.set(party, (depths.get(party) ?? 0) + lines)
  }
  return {
    taken: move,
    answered: (party, lines) => move(party, -lines),
    depths: () => depths,
    words: () => {
      const full = [...depths].filter(([, lines]) => lines !== 0)
      if (full.length === 0) return 'spools empty'
      return `in spools ${full.map(([party, lines]) => `${party} ${lines}`).join(', ')}`
    }
  }
}
