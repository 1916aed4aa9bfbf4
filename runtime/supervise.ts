// A child process of ours: started, known to be ready, watched, started again if wished, and stopped in
// order. Both ends of the agreement are here: superviseChild for the starter, announceReady for the child.
// Knows nothing of what the child does.

import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { errorCode, readIfThere } from './files.ts'

export type ChildOptions = {
  /** For messages only. */
  name: string
  command: string
  args?: readonly string[]
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** From start to the ready line. */
  readyTimeoutMs?: number
  /** From SIGTERM to SIGKILL. */
  stopTimeoutMs?: number
  /** How often a child that ended by itself is started again, and the pause before. Default: never. */
  restart?: { times: number, pauseMs: number }
  /** Gets every line of standard error and what the child says on standard output after it is ready. */
  onLine?: (line: string) => void
  /** The child ended by itself and is not started again. */
  onLost?: (ended: Ended) => void
}

export type Command = Pick<ChildOptions, 'command' | 'args'>

export type Ended = { code: number | null, signal: NodeJS.Signals | null }

export type Child<Ready> = {
  readonly name: string
  /** Of the process that runs now. */
  readonly pid: number
  /** What the child said in `{"ready": …}`; after a restart, what it said last. */
  readonly ready: Ready
  /** How often it was started again. */
  readonly restarts: number
  /** SIGTERM, after the deadline SIGKILL; resolves when it has ended. No restart. */
  stop (): Promise<Ended>
  /** SIGKILL, or another signal, to this one process; the restart policy applies. Resolves when sent. */
  kill (signal?: NodeJS.Signals): void
  /** Ends and starts anew; resolves when ready again. */
  restart (): Promise<Ready>
  /** The largest resident set of any run so far, in bytes; 0 where /proc is missing. */
  peakRssBytes (): number
}

/** Starts FILE, a program in TypeScript, with this Node. */
export const nodeCommand = (file: string, args: readonly string[] = []): Command =>
  ({ command: process.execPath, args: [join(import.meta.dirname, 'start.mjs'), file, ...args] })

/**
 * For the allocator of Debian: two heaps instead of one for each thread, and buffers from 256 KiB on go back
 * to the system when they are free. A ledger that clears a million records: 470 instead of 516 MiB.
 */
const frugal = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '262144' }

/** Resolves when the child is ready; throws with its last words when it ends or dawdles before that. */
export async function superviseChild<Ready> (options: ChildOptions): Promise<Child<Ready>> {
  let run = await startRun<Ready>(options)
  let stopping = false
  let restarts = 0
  let peak = 0

  const { times, pauseMs } = options.restart ?? { times: 0, pauseMs: 0 }

  const watch = (watched: Run<Ready>) => {
    void watched.ended.then(ended => {
      peak = Math.max(peak, watched.peakRssBytes())
      return watched === run ? renewOrLose(ended) : undefined
    })
  }
  const renewOrLose = async (ended: Ended): Promise<void> => {
    if (stopping) return
    if (restarts >= times) return options.onLost?.(ended)
    restarts += 1
    await delay(pauseMs)
    if (stopping) return
    try {
      run = await startRun<Ready>(options)
      watch(run)
    } catch (error) {
      options.onLine?.(String(error))
      await renewOrLose(ended)
    }
  }
  watch(run)

  return {
    name: options.name,
    get pid () { return run.pid },
    get ready () { return run.ready },
    get restarts () { return restarts },
    stop: () => {
      stopping = true
      return stopRun(run, options.stopTimeoutMs ?? 10_000)
    },
    kill: (signal = 'SIGKILL') => { run.process.kill(signal) },
    restart: async () => {
      stopping = true
      await stopRun(run, options.stopTimeoutMs ?? 10_000)
      run = await startRun<Ready>(options)
      stopping = false
      watch(run)
      return run.ready
    },
    peakRssBytes: () => Math.max(peak, run.peakRssBytes())
  }
}

/**
 * The child's side: prints the ready line, and calls `stop` once when told to go (SIGTERM, SIGINT) or when
 * its starter is gone (end of standard input), then exits; 1 when `stop` fails or does not end, as where the
 * database is away. Run from a terminal, only signals count.
 */
export function announceReady (
  ready: unknown, stop: () => Promise<void> | void, stopMs = 60_000
): void {
  let stopping = false
  const go = () => {
    if (stopping) return
    stopping = true
    setTimeout(() => {
      console.error(`not stopped in order within ${stopMs / 1_000} s: ended`)
      process.exit(1)
    }, stopMs).unref()
    Promise.resolve().then(stop).then(() => process.exit(0), error => {
      console.error(error)
      process.exit(1)
    })
  }
  process.on('SIGTERM', go)
  process.on('SIGINT', go)
  if (process.env[underWatch] !== undefined) process.stdin.on('end', go).on('error', go).resume()
  process.stdout.write(JSON.stringify({ ready }) + '\n')
}

/** Set for supervised children only: anybody else's standard input may be closed from the start. */
const underWatch = 'CITIZEN_CARD_SUPERVISED'

/** VmHWM of a process, in bytes: the peak of its resident set. 0 when it is gone. */
export function peakRssBytes (pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readIfThere(`/proc/${pid}/status`) ?? '')?.[1]
  return Number(kib ?? 0) * 1024
}

/** From now on {@link peakRssBytes} tells of what comes; nothing happens where the kernel does not let us. */
export function forgetPeakRss (pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
  } catch (error) {
    if (!['ENOENT', 'EACCES', 'EPERM', 'ESRCH', 'EINVAL'].includes(errorCode(error))) throw error
  }
}

type Run<Ready> = {
  process: ChildProcess, pid: number, ready: Ready, ended: Promise<Ended>, peakRssBytes: () => number
}

const lastWordsMax = 20
const lastWordsMs = 2_000
const sampleMs = 500

/** `detached` keeps Ctrl-C for the starter alone, which stops its children in its own order. */
async function startRun<Ready> (options: ChildOptions): Promise<Run<Ready>> {
  const child = spawn(options.command, options.args ?? [], {
    cwd: options.cwd,
    env: { ...frugal, ...(options.env ?? process.env), [underWatch]: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true
  })
  const lastWords: string[] = []
  const hear = (line: string) => {
    lastWords.push(line)
    if (lastWords.length > lastWordsMax) lastWords.shift()
    options.onLine?.(line)
  }
  const peak = watchMemory(child)
  const ended = new Promise<Ended>(resolve => {
    child.on('error', error => {
      hear(error.message)
      resolve({ code: null, signal: null })
    })
    // 'close', when the last words are in; not much later than 'exit': what it started may hold its outputs.
    child.on('close', (code, signal) => resolve({ code, signal }))
    child.on('exit', (code, signal) => {
      setTimeout(() => resolve({ code, signal }), lastWordsMs).unref()
    })
  })
  createInterface({ input: child.stderr }).on('line', hear)
  child.stdin.on('error', () => undefined)
  const firstReady = new Promise<Ready>(resolve => {
    createInterface({ input: child.stdout }).on('line', line => {
      const ready = readyIn(line)
      if (ready === undefined) hear(line)
      else resolve(ready.ready as Ready)
    })
  })
  const ready = await readyOrDead(firstReady, ended, child, options, lastWords)
  return { process: child, pid: child.pid ?? 0, ready, ended, peakRssBytes: peak }
}

/** VmHWM is a peak already; it only has to be read before the process is gone. */
function watchMemory (child: ChildProcess): () => number {
  let peak = 0
  const look = () => { peak = Math.max(peak, peakRssBytes(child.pid ?? 0)) }
  const timer = setInterval(look, sampleMs).unref()
  child.on('exit', () => clearInterval(timer))
  return () => {
    if (child.exitCode === null && child.signalCode === null) look()
    return peak
  }
}

function readyIn (line: string): { ready: unknown } | undefined {
  if (!line.startsWith('{"ready":')) return undefined
  try {
    return JSON.parse(line) as { ready: unknown }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return undefined
  }
}

async function readyOrDead<Ready> (
  ready: Promise<Ready>, ended: Promise<Ended>, child: ChildProcess, options: ChildOptions,
  lastWords: readonly string[]
): Promise<Ready> {
  const timeoutMs = options.readyTimeoutMs ?? 30_000
  const late = { why: `not ready within ${timeoutMs} ms` }
  const over = new AbortController()
  const outcome = await Promise.race([
    ready.then(value => ({ value })),
    ended.then(({ code, signal }) => ({ why: `ended (${signal ?? `exit code ${code}`}) before it was up` })),
    delay(timeoutMs, late, { signal: over.signal }).catch(() => late)
  ])
  over.abort()
  if ('value' in outcome) return outcome.value
  child.kill('SIGKILL')
  const command = [options.command, ...(options.args ?? [])].join(' ')
  throw new Error([`${options.name} ${outcome.why}: ${command}`, ...lastWords].join('\n  '))
}

async function stopRun (run: Run<unknown>, stopTimeoutMs: number): Promise<Ended> {
  run.peakRssBytes()
  run.process.kill('SIGTERM')
  const deadline = setTimeout(() => run.process.kill('SIGKILL'), stopTimeoutMs)
  const ended = await run.ended
  clearTimeout(deadline)
  return ended
}
