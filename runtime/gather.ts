// Gathers what arrives while a piece of work is under way into the next one: a lone caller waits for nobody,
// a thousand share a handful of transactions. It refuses to know what the work is.

export type GatherOptions<I> = {
  /** Most items of one piece of work. */
  readonly itemsMax: number
  /** Most that may wait; more are turned away with `full()`. */
  readonly waitingMax: number
  readonly full: () => Error
  /** Names of what an item is about: two items with a name in common never share a piece of work. */
  readonly namesOf: (item: I) => readonly string[]
}

/** Answers one item. `work` answers each of its items in order, with an Error where only that one failed. */
export function gather<I, O> (
  work: (items: readonly I[]) => Promise<readonly (O | Error)[]>,
  { itemsMax, waitingMax, full, namesOf }: GatherOptions<I>
): (item: I) => Promise<O> {
  let waiting: Waiting<I, O>[] = []
  let working = false

  async function workOn (): Promise<void> {
    while (waiting.length > 0) {
      const { taken, left } = take(waiting, itemsMax, namesOf)
      waiting = left
      await carryOut(taken, work)
    }
    working = false
  }
  return item => new Promise<O>((resolve, reject) => {
    if (waiting.length >= waitingMax) {
      reject(full())
      return
    }
    waiting.push({ item, resolve, reject })
    if (working) return
    working = true
    setImmediate(() => { void workOn() }) // what came with the same read of the socket comes along
  })
}

type Waiting<I, O> = {
  readonly item: I, readonly resolve: (answer: O) => void, readonly reject: (error: unknown) => void
}

/** The first items, in order, that may go together. */
function take<I, O> (
  waiting: readonly Waiting<I, O>[], itemsMax: number, namesOf: (item: I) => readonly string[]
): { taken: Waiting<I, O>[], left: Waiting<I, O>[] } {
  const taken: Waiting<I, O>[] = []
  const left: Waiting<I, O>[] = []
  const names = new Set<string>()
  for (const one of waiting) {
    const own = namesOf(one.item)
    const fits = taken.length < itemsMax && !own.some(name => names.has(name))
    for (const name of own) names.add(name) // also of one that must wait: none may overtake it
    if (fits) taken.push(one)
    else left.push(one)
  }
  return { taken, left }
}

async function carryOut<I, O> (
  taken: readonly Waiting<I, O>[], work: (items: readonly I[]) => Promise<readonly (O | Error)[]>
): Promise<void> {
  try {
    const answers = await work(taken.map(one => one.item))
    taken.forEach(({ resolve, reject }, index) => {
      const answer = answers[index]
      if (answer instanceof Error || answer === undefined) reject(answer ?? new Error('no answer'))
      else resolve(answer)
    })
  } catch (error) {
    for (const { reject } of taken) reject(error)
  }
}
