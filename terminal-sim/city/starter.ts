// The way to the process that started the city: it has the ledger and the gateway started for us, over Node
// IPC, and hears how far we are, as JSON lines on standard output. It refuses to know what is told.
import type { GatewayConfig } from '../../schemas/gateway.ts'

export type Access = {
  readonly tokens: Readonly<Record<string, string>>
  readonly passwords: Readonly<Record<string, string>>
}

export type Starter = {
  access (): Promise<Access & { readonly dir: string }>
  /** Starts it, or starts it anew with this clock (ISO) on the same data. */
  ledger (clock: string): Promise<{ url: string }>
  gateway (config: GatewayConfig, clock: string): Promise<{ url: string }>
  /** The ledger starts anew, and will kill itself when it passes there; not every starter does that. */
  arm (place: string): Promise<void>
  /** The ledger, once it is dead, starts anew. */
  revive (): Promise<void>
  tell (event: CityEvent): void
  /** Resolves when the starter lets go. */
  released: Promise<void>
  leave (): void
}

/** `step` begins something of `total` parts; `figures` comes once, at the end. */
export type CityEvent =
  | { readonly step: string, readonly total: number }
  | { readonly done: number }
  | { readonly figures: unknown }

type Waiter = { resolve (value: never): void, reject (error: Error): void }

export function starterOverIpc (): Starter {
  const waiting = new Map<number, Waiter>()
  let asked = 0
  process.on('message', (answer: { no: number, ok?: never, error?: string }) => {
    const waiter = waiting.get(answer.no)
    waiting.delete(answer.no)
    if (answer.error === undefined) waiter?.resolve(answer.ok as never)
    else waiter?.reject(new Error(answer.error))
  })
  const released = new Promise<void>(resolve => { process.once('disconnect', resolve) })
  function ask<T> (what: string, details: object = {}): Promise<T> {
    if (process.send === undefined) throw new Error('only bin/demo.ts starts this process: npm run demo')
    return new Promise((resolve, reject) => {
      const no = ++asked
      waiting.set(no, { resolve, reject })
      process.send?.({ no, ask: what, ...details })
    })
  }
  return {
    access: () => ask('access'),
    ledger: clock => ask('ledger', { clock }),
    gateway: (config, clock) => ask('gateway', { config, clock }),
    arm: place => ask('arm', { place }),
    revive: () => ask('revive'),
    tell: event => { process.stdout.write(JSON.stringify(event) + '\n') },
    released,
    leave: () => { if (process.connected) process.disconnect() }
  }
}
