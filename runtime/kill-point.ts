// Named places where a process can be told to die at once, so that a test sees what a power cut there leaves
// behind. Costs one comparison when nothing is armed. Knows nothing of what the places mean.

let point = killPointFor(process.env['CITIZEN_CARD_KILL_AT'], dieAtOnce)

/**
 * Dies by SIGKILL when the armed place is passed for the nth time. Armed by CITIZEN_CARD_KILL_AT=NAME or
 * NAME:N (N from 1, 1 when absent); without the variable it does nothing.
 */
export function killPoint (name: string): void {
  point(name)
}

/** The same order while the process runs, in place of the one before; empty: none. */
export function armKillPoint (order: string): void {
  point = killPointFor(order, dieAtOnce)
}

function dieAtOnce (): void {
  process.kill(process.pid, 'SIGKILL')
}

/** The same with the order and the way to die handed in. Throws RangeError when the order cannot be read. */
export function killPointFor (order: string | undefined, die: () => void): (name: string) => void {
  if (order === undefined || order === '') return () => undefined
  const found = /^([a-z][a-z-]*)(?::([1-9]\d{0,8}))?$/.exec(order)
  if (found === null) {
    throw new RangeError(`CITIZEN_CARD_KILL_AT=${order}: not NAME or NAME:N, such as after-intent:2`)
  }
  const [, armed, times = '1'] = found
  let passes = 0
  return name => {
    if (name !== armed) return
    passes += 1
    if (passes === Number(times)) die()
  }
}
