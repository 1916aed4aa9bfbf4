// The stack under test as its starter offers it over Node IPC: fresh, clock, kill, start, tamper. Knows
// processes, no business.
import { askStarter } from '../ask-starter.ts'
import type { Instant } from '../../runtime/clock.ts'
import { formatIso } from '../../runtime/instants.ts'

/** Who may call: machine tokens by kind, and passwords of staff by name. */
export type Access = {
  readonly tokens: Readonly<Record<
    'gateway' | 'registrar' | 'auditor' | 'centre' | 'platform' | 'social-security', string>>
  readonly passwords: Readonly<Record<string, string>>
}

export type Fresh = { readonly ledgerUrl: string, readonly tookMs: number }

export type Stack = {
  /** Once, before the first `fresh`: test keys in, access out. */
  prepare(keys: unknown): Promise<Access>
  /**
   * A ledger on a fresh database, its clock at `at`; the stack before it goes. `crashAt`: kill -9 when it
   * passes there.
   */
  fresh(options: { at: Instant, crashAt?: string }): Promise<Fresh>
  clock(at: Instant): Promise<void>
  /** A gateway with this configuration on the same clock. */
  gateway(options: {
    config: unknown
    env: Readonly<Record<string, string>>
    crashAt?: string
  }): Promise<{ url: string }>
  /** An issuing desk with this configuration begins, or goes on with, a batch. */
  issue(options: { config: unknown, batch: string }): Promise<void>
  /** What it says of the next chip. */
  issued(): Promise<string>
  /** Once it has ended. */
  issuingReport(): Promise<BatchReport>
  kill(process: ProcessName, at?: string): Promise<void>
  /** Starts what was killed, or died, on the same database or spool. */
  start(process: ProcessName): Promise<{ url: string }>
  /** Answers what the ledger calls the row, where it has a name for it. */
  tamper(what: string): Promise<string | null>
  /** Ends the stack of the last `fresh`. */
  drop(): Promise<void>
}
export type BatchReport = {
  readonly cards: number, readonly issued: number, readonly waiting: number
  readonly spoiled: readonly unknown[]
}
export type ProcessName = 'ledger' | 'gateway'

/** The other end is the process that started this one. */
export function stackOverIpc (): Stack {
  const ask = askStarter(
    'this process runs scenarios for bin/scenario.ts; start it with npm run scenario -- FILES')
  return {
    prepare: keys => ask('prepare', { keys }),
    fresh: ({ at, ...rest }) => ask('fresh', { at: formatIso(at), ...rest }),
    clock: at => ask('clock', { at: formatIso(at) }),
    gateway: options => ask('gateway', options),
    issue: options => ask('issue', options),
    issued: () => ask('issued'),
    issuingReport: () => ask('issuingReport'),
    kill: (process, at) => ask('kill', { process, at }),
    start: process => ask('start', { process }),
    tamper: what => ask('tamper', { what }),
    drop: () => ask('drop')
  }
}
