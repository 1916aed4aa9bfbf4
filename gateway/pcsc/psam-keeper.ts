// Keeps the PSAM of a lane at work: start of day when it comes, once more after any failure, refusal told and
// kept. It refuses to know what is signed.
import { setTimeout as delay } from 'node:timers/promises'
import { pauseMs } from '../../runtime/http-client.ts'
import type { Log } from '../../runtime/log.ts'
import type { LaneView } from '../../schemas/gateway.ts'
import { type Channel, conversing } from './exchange.ts'
import type { Connection, Reader } from './port.ts'
import { type Psam, startPsam } from './psam.ts'

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

export function keepPsam ({ reader, expected, deadlineMs, log, random, nowMs }: PsamKeeperOptions): PsamKeeper {
  let connection: Connection | null = null
  let psam: Psam | null = null
  let state: LaneView['psam']['state'] = reader.state() === 'away' ? 'away' : 'empty'
  let why: string | null = null
  let spentMs = 0
  let broken = false
  /** Of the module that is there now; a work that began for an earlier one ends. */
  let turn = 0
  let settle: () => void = () => undefined
  const settled = new Promise<void>(resolve => { settle = resolve })

  const watched = (channel: Channel): Channel => ({
    transmit: async command => {
      const startMs = nowMs()
      const answer = await channel.transmit(command)
      spentMs += nowMs() - startMs
      if (answer.kind === 'unknown') broken = true
      return answer
    }
  })

  async function begin (): Promise<void> {
    const mine = ++turn
    psam = null
    state = 'starting'
    for (let attempt = 1; mine === turn; attempt++) {
      const started = await startOnce()
      if (mine !== turn) return
      if (started === null) break
      why = started.why
      if (started.final) {
        state = 'refused'
        log.error({ reader: reader.name, alarm: 'psam_refused' }, `PSAM refused: ${started.why}`)
        break
      }
      log.warn({ reader: reader.name, attempt }, `PSAM does not start: ${started.why}`)
      await delay(pauseMs(Math.min(attempt, 20), { ...retry, random }))
    }
    settle()
  }

  /** Null when it is ready. */
  async function startOnce (): Promise<{ why: string, final: boolean } | null> {
    await release('reset')
    try {
      const line = await reader.connect(deadlineMs)
      connection = line
      broken = false
      const started = await startPsam(watched(conversing(line)), reader.atr(), expected)
      if (!started.ok) return started
      psam = started.psam
      state = 'ready'
      why = null
      log.info({ reader: reader.name, terminal: psam.terminal, serial: psam.serial }, 'PSAM ready')
      return null
    } catch (error) {
      return { why: (error as Error).message.trim(), final: false }
    }
  }

  async function release (disposition: 'reset' | 'unpower'): Promise<void> {
    const old = connection
    connection = null
    await old?.close(disposition)
  }

  const end = reader.listen(event => {
    if (event !== 'chip_out') {
      void begin()
      return
    }
    turn += 1
    psam = null
    why = null
    state = reader.state() === 'away' ? 'away' : 'empty'
    void release('unpower')
  })
  if (reader.state() === 'empty') settle()

  return {
    current: () => broken ? null : psam,
    view: () => ({ state, why, terminal: psam?.terminal ?? null, serial: psam?.serial ?? null }),
    spentMs: () => spentMs,
    look: () => { if (broken && state === 'ready' && reader.state() === 'chip') void begin() },
    settled,
    close: async () => {
      end()
      turn += 1
      psam = null
      settle()
      await release('unpower')
    }
  }
}
