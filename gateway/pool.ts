// Room for silent chips: each command that waits for one occupies a thread of libuv's pool, and so does each
// disk flush. libuv sizes the pool once, at its first use, from the environment; loading the first module
// uses it already.
import { spawn } from 'node:child_process'

/** Two readers for each of 15 lanes, and some for the disk. The threads sleep; each costs some pages. */
export const poolThreads = 40

/**
 * True when this process has the room. Else it becomes the parent of one that has: same program, same
 * arguments, same standard streams and signals, same end; then nothing is left to do here. Starters save that
 * by setting UV_THREADPOOL_SIZE themselves.
 */
export function hasRoom (env: NodeJS.ProcessEnv): boolean {
  if (Number(env['UV_THREADPOOL_SIZE'] ?? 4) >= poolThreads) {
    dieWithParent()
    return true
  }
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    env: { ...env, UV_THREADPOOL_SIZE: String(poolThreads), [asChild]: '1' },
    stdio: ['inherit', 'inherit', 'inherit', 'ipc']
  })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
  child.on('error', error => { throw error })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    for (const one of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.removeAllListeners(one)
    process.kill(process.pid, signal)
  })
  return false
}

const asChild = 'CITIZEN_CARD_POOL_CHILD'

/** The starter knows only the parent: where that is killed, nobody may be left writing the spool. */
function dieWithParent (): void {
  if (process.env[asChild] === undefined) return
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  process.channel?.unref()
}
