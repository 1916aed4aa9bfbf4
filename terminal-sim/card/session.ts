// The order of commands on a card: the one table of states, and which bytes are which step.
// It refuses to know what a step does.
import { type OrderName, orderCommands } from '../../schemas/epurse/maintenance.ts'

export type Step =
  | 'select' | 'read_binary' | 'read_record' | 'get_balance' | 'get_challenge' | 'get_auth_code'
  | 'init_load' | 'init_purchase' | 'init_capp' | 'update_capp' | 'credit' | 'debit' | 'prove'
  | 'verify_pin' | 'change_pin' | 'unsecured' | OrderName

export type State = 'idle' | 'init_load' | 'init_purchase' | 'init_capp' | 'capp_cached'

/** Any step that has no row in a state ends the transaction under way and comes as in `idle`. */
export const next: Readonly<Record<State, Partial<Record<Step, State>>>> = {
  idle: { init_load: 'init_load', init_purchase: 'init_purchase', init_capp: 'init_capp' },
  init_load: { credit: 'idle' },
  init_purchase: { debit: 'idle' },
  init_capp: { update_capp: 'capp_cached' },
  capp_cached: { update_capp: 'capp_cached', debit: 'idle' }
}

/** CLA, INS, and P1 where one INS is several commands. */
export const steps: readonly { cla: number, ins: number, p1?: number, step: Step }[] = [
  { cla: 0x00, ins: 0xA4, step: 'select' },
  { cla: 0x00, ins: 0xB0, step: 'read_binary' },
  { cla: 0x00, ins: 0xB2, step: 'read_record' },
  { cla: 0x00, ins: 0x84, step: 'get_challenge' },
  { cla: 0x00, ins: 0x20, step: 'verify_pin' },
  { cla: 0x80, ins: 0x5C, step: 'get_balance' },
  { cla: 0x80, ins: 0xCA, step: 'get_auth_code' },
  { cla: 0x80, ins: 0x50, p1: 0x00, step: 'init_load' },
  { cla: 0x80, ins: 0x50, p1: 0x01, step: 'init_purchase' },
  { cla: 0x80, ins: 0x50, p1: 0x03, step: 'init_capp' },
  { cla: 0x80, ins: 0xDC, step: 'update_capp' },
  { cla: 0x80, ins: 0x52, step: 'credit' },
  { cla: 0x80, ins: 0x54, step: 'debit' },
  { cla: 0x80, ins: 0x5A, step: 'prove' },
  { cla: 0x80, ins: 0x5E, p1: 0x01, step: 'change_pin' },
  { cla: 0x00, ins: 0xD6, step: 'unsecured' },
  { cla: 0x00, ins: 0xDC, step: 'unsecured' },
  { cla: 0x80, ins: 0xD4, step: 'unsecured' },
  ...orderCommands.map(({ order, ...bytes }) => ({ ...bytes, step: order }))
]

/** Steps that only a transaction under way can take. */
export const onlyWithin: ReadonlySet<Step> = new Set(['update_capp', 'credit', 'debit'])
/** Steps that a locked application refuses. */
export const onlyUnlocked: ReadonlySet<Step> = new Set([
  'init_load', 'init_purchase', 'init_capp', 'update_capp', 'credit', 'debit', 'prove', 'get_auth_code',
  'verify_pin', 'change_pin', 'reload_pin', 'unblock_pin', 'write_key'
])
