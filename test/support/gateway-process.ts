// A gateway as a process on a configuration that lies there, for tests that make it die.
import type { Test } from 'tap'
import { type Child, type Ended, nodeCommand, superviseChild } from '../../runtime/supervise.ts'

export type GatewayProcess = Pick<Child<unknown>, 'kill' | 'stop'> & {
  /** Resolves when it has died, whoever killed it. */
  readonly ended: Promise<Ended>
}

/** Resolves when it is up; throws with its last words where it ends before that. */
export async function gatewayProcess (t: Test, env: NodeJS.ProcessEnv): Promise<GatewayProcess> {
  let lost: (how: Ended) => void = () => undefined
  const ended = new Promise<Ended>(resolve => { lost = resolve })
  const { kill, stop } = await superviseChild({
    name: 'gateway', ...nodeCommand('gateway/main.ts'), env: { ...process.env, ...env },
    onLost: how => lost(how), onLine: line => console.error(line)
  })
  t.teardown(async () => {
    kill()
    await stop()
  })
  return { kill, stop, ended }
}
