// Many gateways in one process, for scenarios: each on its own spool and a clock that is set by hand, all on
// the readers of the same pcscd. HTTP control on 127.0.0.1: POST /stacks {config, clock} -> {id, url} · PUT
// /stacks/:id/clock {at} · DELETE /stacks/:id
import { randomUUID } from 'node:crypto'
import { TypeBoxValidatorCompiler, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { fastify } from 'fastify'
import { Type } from 'typebox'
import { type ManualClock, manualClock } from '../runtime/clock.ts'
import { parseIso } from '../runtime/instants.ts'
import { createLog } from '../runtime/log.ts'
import { announceReady } from '../runtime/supervise.ts'
import { Instant } from '../schemas/api.ts'
import { GatewayConfig, type PcscConfig } from '../schemas/gateway.ts'
import { type Gateway, buildGateway } from './gateway.ts'
import { type CardReaders, noCardReaders, openCardReaders } from './pcsc/card-readers.ts'

const closed = { additionalProperties: false } as const
const OneStack = Type.Object({ id: Type.String() })

async function main (): Promise<void> {
  const log = createLog('gateway-host')
  const chance = { random: Math.random, nowMs: () => performance.now(), newId: randomUUID }
  const stacks = new Map<string, { gateway: Gateway, clock: ManualClock }>()
  const opened = new Map<string, Promise<CardReaders>>()

  /** Opened by the first stack that wants them, and kept: the next scenario uses the same. */
  const readersFor = (pcsc: PcscConfig = {}): Promise<CardReaders> => {
    const key = JSON.stringify(pcsc)
    const readers = opened.get(key) ?? openCardReaders(pcsc, { log, ...chance })
    opened.set(key, readers)
    return readers
  }
  const stackOf = (id: string) => {
    const stack = stacks.get(id)
    if (stack === undefined) throw Object.assign(new Error(`there is no stack ${id}`), { statusCode: 404 })
    return stack
  }

  const app = fastify().setValidatorCompiler(TypeBoxValidatorCompiler).withTypeProvider<TypeBoxTypeProvider>()
  app.post('/stacks', {
    schema: { body: Type.Object({ config: GatewayConfig, clock: Instant }, closed) }
  }, async request => {
    const { config, clock: at } = request.body
    const clock = manualClock(parseIso(at))
    const readers = config.lanes.length === 0 ? noCardReaders : await readersFor(config.pcsc)
    const gateway = await buildGateway({ config, clock, readers, log, ...chance })
    const id = randomUUID()
    stacks.set(id, { gateway, clock })
    return { id, url: gateway.url }
  })
  app.put('/stacks/:id/clock', {
    schema: { params: OneStack, body: Type.Object({ at: Instant }, closed) }
  }, async request => {
    stackOf(request.params.id).clock.set(parseIso(request.body.at))
    return {}
  })
  app.delete('/stacks/:id', { schema: { params: OneStack } }, async request => {
    const { gateway } = stackOf(request.params.id)
    stacks.delete(request.params.id)
    await gateway.close()
    return {}
  })

  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  announceReady({ url }, async () => {
    await Promise.all([...stacks.values()].map(({ gateway }) => gateway.close()))
    for (const readers of opened.values()) (await readers).close()
    await app.close()
  })
}

main().catch((error: Error) => {
  process.stderr.write(`gateway host: ${error.message}\n`)
  process.exit(1)
})
