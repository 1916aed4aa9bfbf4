// The way to the process that started the city: it has the ledger and the gateway started for us, over Node
// IPC, and hears how far we are, as JSON lines on standard output. It refuses to know what is told.
import type { GatewayConfig } from '../../schemas/gateway.ts'
import { askStarter } from '../ask-starter.ts'

export type Access = {
  readonly tokens: Readonly<Record<string, string>>
  readonly passwords: Readonly<Record<string, string>>
}

/** A resident who may be signed in as. */
export type Holder = {
  readonly name: string, readonly document: { readonly kind: string, readonly number: string }
  readonly password: string
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
  | { readonly holder: Holder }
  | { readonly words: string }

export function starterOverIpc (): Starter {
  const ask = askStarter('only bin/demo.ts starts this process: npm run demo')
  const released = new Promise<void>(resolve => { process.once('disconnect', resolve) })
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
