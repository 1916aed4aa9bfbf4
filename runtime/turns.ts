// So many at once, so many that wait for their turn, and the rest are told so at once. Knows nothing of what
// is done.

/** Thrown where nobody may wait any more. */
export class TooMany extends Error {
  constructor (waitingMax: number) {
    super(`${waitingMax} wait already`)
    this.name = 'TooMany'
  }
}

export type Turns = { readonly take: <Result>(work: () => Promise<Result>) => Promise<Result> }

export function createTurns ({ atOnceMax, waitingMax }: {
  readonly atOnceMax: number, readonly waitingMax: number
}): Turns {
  let running = 0
  const waiting: (() => void)[] = []
  return {
    take: async work => {
      if (running < atOnceMax) running += 1
      else if (waiting.length >= waitingMax) throw new TooMany(waitingMax)
      else await new Promise<void>(resolve => waiting.push(resolve))
      try {
        return await work()
      } finally {
        const next = waiting.shift()
        if (next === undefined) running -= 1
        else next() // it has the turn of the one that ends
      }
    }
  }
}
