// Things that are kept in memory for a time and no longer, on no disk: a name has one, a new one takes its
// place. It refuses to know what they are.

export type ForAWhile<T> = {
  put (name: string, thing: T, forMs: number): void
  get (name: string): T | undefined
  all (): readonly T[]
  forget (name: string): void
  /** All is forgotten. */
  close (): void
}

/** `onGone` is told of each thing once, when it is kept no longer. */
export function keepForAWhile<T> (onGone: (thing: T) => void = () => undefined): ForAWhile<T> {
  const kept = new Map<string, { readonly thing: T, readonly timer: NodeJS.Timeout }>()

  function forget (name: string): void {
    const found = kept.get(name)
    if (found === undefined) return
    clearTimeout(found.timer)
    kept.delete(name)
    onGone(found.thing)
  }

  return {
    put: (name, thing, forMs) => {
      forget(name)
      kept.set(name, { thing, timer: setTimeout(() => forget(name), forMs).unref() })
    },
    get: name => kept.get(name)?.thing,
    all: () => [...kept.values()].map(({ thing }) => thing),
    forget,
    close: () => { for (const name of [...kept.keys()]) forget(name) }
  }
}
