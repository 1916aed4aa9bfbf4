// Questions to the process that started this one, over Node IPC: each gets its answer or its error, in any
// order. It refuses to know what is asked.

export type Ask = <T>(what: string, details?: object) => Promise<T>

type Waiter = { resolve (value: never): void, reject (error: Error): void }

/** `alone`: what to tell somebody who started this process by hand. */
export function askStarter (alone: string): Ask {
  const waiting = new Map<number, Waiter>()
  let asked = 0
  process.on('message', (answer: { no: number, ok?: never, error?: string }) => {
    const waiter = waiting.get(answer.no)
    waiting.delete(answer.no)
    if (answer.error === undefined) waiter?.resolve(answer.ok as never)
    else waiter?.reject(new Error(answer.error))
  })
  // Whatever else keeps this process alive, nobody answers any more.
  process.on('disconnect', () => {
    for (const { reject } of waiting.values()) reject(new Error(gone))
    waiting.clear()
  })
  return async (what, details = {}) => {
    if (process.send === undefined) throw new Error(alone)
    if (!process.connected) throw new Error(gone)
    const no = ++asked
    return await new Promise((resolve, reject) => {
      waiting.set(no, { resolve, reject })
      process.send?.({ no, ask: what, ...details })
    })
  }
}

const gone = 'the process that started this one is gone'
