// A gateway as a process of its own, for benches: started from a configuration, and looked into from outside.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Child, superviseChild } from '../../runtime/supervise.ts'
import type { GatewayConfig } from '../../schemas/gateway.ts'
import type { ProcessState } from './state-on-signal.ts'

export type Gateway = {
  readonly child: Child<{ url: string }>
  readonly url: string
  get<T> (path: string): Promise<T>
  /** What its process holds after it has collected its garbage. */
  look (): Promise<ProcessState>
}

/** `dir` gets its configuration and its spool. */
export async function startGateway (
  dir: string, config: Omit<GatewayConfig, 'gateway' | 'spoolDir'>, env: Record<string, string> = {}
): Promise<Gateway> {
  const path = join(dir, 'gateway.json')
  writeFileSync(path, JSON.stringify({ gateway: 'BENCH', spoolDir: join(dir, 'spool'), ...config }))
  const waiting: ((state: ProcessState) => void)[] = []
  const preload = join(import.meta.dirname, 'state-on-signal.ts')
  const child = await superviseChild<{ url: string }>({
    name: 'gateway', command: process.execPath, readyTimeoutMs: 180_000,
    args: ['--expose-gc', '--import', 'tsx', '--import', preload, 'gateway/main.ts'],
    env: { ...process.env, GATEWAY_CONFIG: path, LOG_LEVEL: 'fatal', UV_THREADPOOL_SIZE: '40', ...env },
    onLine: line => {
      if (line.startsWith('{"state"')) waiting.shift()?.((JSON.parse(line) as { state: ProcessState }).state)
      else console.error(`gateway: ${line}`)
    },
    // What asks it just then fails with less to say.
    onLost: ({ code, signal }) => { console.error(`the gateway has ended: ${signal ?? code}`) }
  })
  const { url } = child.ready
  return {
    child,
    url,
    get: async path => await (await fetch(url + path)).json() as never,
    look: () => new Promise<ProcessState>(resolve => {
      waiting.push(resolve)
      child.kill('SIGUSR2')
    })
  }
}
