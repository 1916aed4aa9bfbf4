// Keeps the PSAM of a lane at work: start of day when it comes, once more after any failure, refusal told and
// kept. It refuses to know what is signed.
import { pauseMs } from '../../runtime/http-client.ts'
import type { Log } from '../../runtime/log.ts'
import type { LaneView } from '../../schemas/gateway.ts'
import { napper } from '../nap.ts'
import { type Channel, channelOf, timed } from './exchange.ts'
import type { Connection, Reader } from './port.ts'
import { type Psam, type Started, startPsam } from './psam.ts'

export type PsamKeeper = {
  /** Null while there is none that can be trusted. */
  current (): Psam | null
  view (): LaneView['psam']
  /** Time spent waiting for its answers so far. */
  spentMs (): number
  /** After a tap: one that did not answer gets a reset and a new start of day. */
  look (): void
  /** Resolves when the first start of day is over, or there is nothing to start. */
  readonly settled: Promise<void>
  close (): Promise<void>
}

export type PsamKeeperOptions = {
  reader: Reader
  /** Terminal number the module must have; undefined: any. */
  expected: string | undefined
  deadlineMs: number
  log: Log
  random: () => number
  nowMs: () => number
}

const retry = { backoffMs: 100, backoffMaxMs: 5_000 } as const

export function keepPsam (
  { reader, expected, deadlineMs, log, random, nowMs }: PsamKeeperOptions
): PsamKeeper {
  /** Broken: an answer was missed, so nobody knows what the module thinks of the purchase under way. */
  let line: { readonly connection: Connection, broken: boolean } | null = null
  let psam: Psam | null = null
  let state: LaneView['psam']['state'] = reader.state() === 'away' ? 'away' : 'empty'
  let why: string | null = null
  let spentMs = 0
  /** Counts what happened at the reader; work for an earlier count is of no more use. */
  let turn = 0
  /** One thing at a time with the module: two that connect would take each other's line. */
  let working: Promise<void> = Promise.resolve()
  const rest = napper()
  const never = new AbortController().signal
  let settle: () => void = () => undefined
  const settled = new Promise<void>(resolve => { settle = resolve })

  function next (to: typeof state, work: (mine: number) => Promise<void>): void {
    const mine = ++turn
    psam = null
    why = null
    state = to
    rest.wake()
    working = working.then(() => work(mine))
  }

  /** Until it works, is refused, or something else happened at the reader. */
  async function start (mine: number): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const started = mine === turn ? await startOnce() : null
      if (started === null || mine !== turn) return
      if (started.ok) return ready(started.psam)
      why = started.why
      if (started.final) return refuse(started.why)
      log.warn({ reader: reader.name, attempt }, `PSAM does not start: ${why}`)
      await rest.sleep(pauseMs(Math.min(attempt, 20), { ...retry, random }), never)
    }
  }

  async function startOnce (): Promise<Started> {
    await release('reset')
    try {
      const mine = { connection: await reader.connect(deadlineMs), broken: false }
      line = mine
      const channel = timed(mine.connection, nowMs, ms => { spentMs += ms })
      return await startPsam(watched(channel, () => { mine.broken = true }), reader.atr(), expected)
    } catch (error) {
      return { ok: false, why: (error as Error).message.trim(), final: false }
    }
  }

  function ready (started: Psam): void {
    psam = started
    state = 'ready'
    why = null
    settle()
    log.info({ reader: reader.name, terminal: started.terminal, serial: started.serial }, 'PSAM ready')
  }

  function refuse (reason: string): void {
    state = 'refused'
    settle()
    log.error({ reader: reader.name, alarm: 'psam_refused' }, `PSAM refused: ${reason}`)
  }

  async function release (disposition: 'reset' | 'unpower'): Promise<void> {
    const old = line
    line = null
    await old?.connection.close(disposition)
  }

  const end = reader.listen(event => {
    if (event !== 'chip_out') next('starting', start)
    else next(reader.state() === 'away' ? 'away' : 'empty', () => release('unpower'))
  })
  if (reader.state() === 'empty') settle()

  return {
    current: () => line?.broken === false ? psam : null,
    view: () => ({ state, why, terminal: psam?.terminal ?? null, serial: psam?.serial ?? null }),
    spentMs: () => spentMs,
    look: () => {
      if (line?.broken === true && state === 'ready' && reader.state() === 'chip') next('starting', start)
    },
    settled,
    close: async () => {
      end()
      next('empty', () => release('unpower'))
      settle()
      await working
    }
  }
}

/** The first of them that can be trusted serves; the others stand ready, each with its own start of day. */
export function firstReady (keepers: readonly [PsamKeeper, ...PsamKeeper[]]): PsamKeeper {
  const serving = () => keepers.find(keeper => keeper.current() !== null) ?? keepers[0]
  return {
    current: () => serving().current(),
    view: () => serving().view(),
    spentMs: () => keepers.reduce((sum, keeper) => sum + keeper.spentMs(), 0),
    look: () => { for (const keeper of keepers) keeper.look() },
    settled: Promise.all(keepers.map(keeper => keeper.settled)).then(() => undefined),
    close: async () => { await Promise.all(keepers.map(keeper => keeper.close())) }
  }
}

/** Of a lane that has none. */
export const noPsam: PsamKeeper = {
  current: () => null,
  view: () => ({ state: 'none', why: null, terminal: null, serial: null }),
  spentMs: () => 0,
  look: () => undefined,
  settled: Promise.resolve(),
  close: () => Promise.resolve()
}

/** The channel, and what is called when an answer is missed. */
function watched (channel: Channel, onMissed: () => void): Channel {
  const { transmit, run } = channelOf(async command => {
    const answer = await channel.transmit(command)
    if (answer.kind === 'unknown') onMissed()
    return answer
  })
  const heard: Channel['heard'] = (command, answer, tookMs) => {
    if (answer.kind === 'unknown') onMissed()
    channel.heard?.(command, answer, tookMs)
  }
  return { ...channel, transmit, run, heard }
}
