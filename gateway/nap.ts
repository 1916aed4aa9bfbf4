// Waiting that can be cut short: for work that may have come already, or for a time unless somebody is in a
// hurry.

export type Nap = {
  /** Ends a wait; where nobody waits for work, the next such wait ends at once. */
  wake (): void
  untilWoken (): Promise<void>
  /** For so long, or until woken or aborted: none of them is a fault. */
  sleep (durationMs: number, signal: AbortSignal): Promise<void>
}

export function napper (): Nap {
  let woken = false
  let rouse: (() => void) | null = null
  return {
    wake: () => {
      if (rouse === null) woken = true
      else rouse()
    },
    untilWoken: () => new Promise<void>(resolve => {
      rouse = () => {
        rouse = null
        woken = false
        resolve()
      }
      if (woken) rouse()
    }),
    sleep: (durationMs, signal) => new Promise<void>(resolve => {
      const done = () => {
        clearTimeout(timeout)
        signal.removeEventListener('abort', done)
        rouse = null
        resolve()
      }
      const timeout = setTimeout(done, durationMs)
      rouse = done
      if (signal.aborted) done()
      else signal.addEventListener('abort', done)
    })
  }
}
