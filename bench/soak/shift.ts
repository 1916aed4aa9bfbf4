// Who is at work in a soak: each does one deed after the other; between two deeds all can be held still, to
// look at what is held when nobody speaks, or sent home. It refuses to know what they do.
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'

export type Shift = {
  /** `deed` comes again and again, with its own pause in it. What it throws ends the soak. */
  start (name: string, deed: () => Promise<void>): void
  /** Resolves when everybody has ended the deed under way. */
  hold (): Promise<void>
  release (): void
  /** The same as {@link Shift.hold}, for good. */
  end (): Promise<void>
  /** Throws what somebody has thrown. */
  check (): void
}

const deedMsMax = 300_000
const lookMs = 50

export function openShift (): Shift {
  const atWork = new Set<string>()
  const failures: Error[] = []
  let gate: Promise<void> = Promise.resolve()
  let open: () => void = () => undefined
  let over = false

  async function work (name: string, deed: () => Promise<void>): Promise<void> {
    for (;;) {
      await gate
      if (over) return
      atWork.add(name)
      await deed()
      atWork.delete(name)
    }
  }

  function check (): void {
    const [first] = failures
    if (first !== undefined) throw first
  }

  async function hold (): Promise<void> {
    gate = new Promise(resolve => { open = resolve })
    for (let waitedMs = 0; ; waitedMs += lookMs) {
      await delay(lookMs)
      check()
      if (atWork.size === 0) return
      assert(waitedMs < deedMsMax, `does not come to its end: ${[...atWork].join(', ')}`)
    }
  }

  return {
    start: (name, deed) => {
      void work(name, deed).catch((cause: unknown) => {
        failures.push(new Error(`${name}: ${(cause as Error).message}`, { cause }))
      })
    },
    hold,
    release: () => open(),
    end: async () => {
      over = true
      await hold()
    },
    check
  }
}
