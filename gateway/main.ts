// Starts one gateway from the environment: GATEWAY_CONFIG, path of its configuration (JSON); GATEWAY_CLOCK,
// an ISO instant at which its clock starts. Says {"ready":{"url":…}} on standard output and ends on SIGTERM.
// `gateway/main.ts keys FILE.json OUT` seals keys under GATEWAY_KEYS_PASSPHRASE.
// `gateway/main.ts wrap OPERATOR/TERMINAL NAME SUITE` reads a master key from standard input and says what
// the terminal is enrolled with.
// `gateway/main.ts redeliver --url URL --since INSTANT` has a running one deliver its spool again; its token,
// where it has one, is GATEWAY_HTTP_TOKEN.
import { randomBytes, randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { Type } from 'typebox'
import { Errors, Value } from 'typebox/value'
import { offsetClock, systemClock } from '../runtime/clock.ts'
import { readConfig } from '../runtime/config.ts'
import { parseIso } from '../runtime/instants.ts'
import { createLog } from '../runtime/log.ts'
import { announceReady } from '../runtime/supervise.ts'
import { unhex } from '../schemas/epurse/hex.ts'
import { GatewayConfig } from '../schemas/gateway.ts'
import { buildGateway } from './gateway.ts'
import { openTerminalKeys, sealTerminalKeys, TerminalKeys } from './keys.ts'
import { noCardReaders, openCardReaders, placeOfReaders } from './pcsc/card-readers.ts'
import { redeliver } from './redeliver.ts'

const Environment = Type.Object({
  GATEWAY_CONFIG: Type.String({ description: 'path of the configuration, JSON' }),
  GATEWAY_KEYS: Type.Optional(Type.String({ description: 'path of the encrypted key file of terminals' })),
  GATEWAY_KEYS_PASSPHRASE: Type.Optional(Type.String({ description: 'opens the key file' })),
  GATEWAY_CLOCK: Type.Optional(Type.String({ description: 'ISO instant at which the clock starts' }))
})

const failedTellMs = 1_000
/** What cannot write may not come to its end in order either. */
const failedStopMs = 20_000

async function main (): Promise<void> {
  const environment = readConfig(Environment, process.env)
  const config = readGatewayConfig(environment.GATEWAY_CONFIG)
  const startsAt = environment.GATEWAY_CLOCK
  const clock = startsAt === undefined ? systemClock : offsetClock(parseIso(startsAt))
  const log = createLog(config.gateway)
  const chance = { random: Math.random, nowMs: () => performance.now(), newId: randomUUID }
  const readers = config.lanes.length === 0
    ? noCardReaders
    : await openCardReaders(config.pcsc ?? {}, { log, ...chance }, placeOfReaders(config))
  const { GATEWAY_KEYS: keyFile, GATEWAY_KEYS_PASSPHRASE: passphrase = '' } = environment
  const keys = keyFile === undefined ? {} : { masterKey: openTerminalKeys(keyFile, passphrase).masterKey }
  const gateway = await buildGateway({ config, clock, readers, log, ...keys, ...chance })
  let closing: Promise<void> | null = null
  const close = () => {
    closing ??= gateway.close().then(() => readers.close())
    return closing
  }
  announceReady({ url: gateway.url }, close)
  await Promise.race([
    gateway.failed.then(failure => { log.fatal({ alarm: 'spool_failed' }, failure.message) }),
    readers.failed.then(failure => { log.fatal({ alarm: 'readers_lost' }, failure.message) })
  ])
  // What was said of the last tap is asked for by tills; then whoever supervises starts a process that knows.
  await delay(failedTellMs)
  await Promise.race([close(), delay(failedStopMs)])
  process.exit(1)
}

function sealKeys ([from, to]: string[]): void {
  if (from === undefined || to === undefined) throw new Error('usage: gateway/main.ts keys FILE.json OUT')
  const keys = Value.Parse(TerminalKeys, JSON.parse(readFileSync(from, 'utf8')))
  const passphrase = process.env['GATEWAY_KEYS_PASSPHRASE']
  if (passphrase === undefined || passphrase === '') throw new Error('GATEWAY_KEYS_PASSPHRASE is not set')
  writeFileSync(to, sealTerminalKeys(keys, passphrase, randomBytes(16), randomBytes(12)), { mode: 0o600 })
}

/** The key itself never stands in a command line or on the screen. */
function wrapKey ([terminal, name, suite]: string[]): void {
  const [operator, number] = terminal?.split('/') ?? []
  if (operator === undefined || number === undefined || name === undefined ||
    (suite !== '3des' && suite !== 'sm4')) {
    throw new Error('usage: gateway/main.ts wrap OPERATOR/TERMINAL NAME 3des|sm4 < KEY')
  }
  const { GATEWAY_KEYS: path, GATEWAY_KEYS_PASSPHRASE: passphrase } = process.env
  if (path === undefined || passphrase === undefined) {
    throw new Error('GATEWAY_KEYS and GATEWAY_KEYS_PASSPHRASE are not set')
  }
  const digits = readFileSync(0, 'utf8').trim()
  if (!/^[0-9A-Fa-f]{32}$/.test(digits)) throw new Error('standard input: not 32 hexadecimal digits')
  const { enrolmentOf } = openTerminalKeys(path, passphrase)
  const key = { suite, key: unhex(digits) } as const
  const said = enrolmentOf({ operator, terminal: number }, name, key, randomBytes(12))
  process.stdout.write(`${JSON.stringify(said)}\n`)
}

function readGatewayConfig (path: string): GatewayConfig {
  const config: unknown = JSON.parse(readFileSync(path, 'utf8'))
  const wrong = Errors(GatewayConfig, config).map(({ instancePath, message }) =>
    `  ${instancePath || '/'} ${message}`)
  if (wrong.length > 0) {
    throw new Error(`${path} is no gateway configuration:\n${[...new Set(wrong)].join('\n')}`)
  }
  return config as GatewayConfig
}

const [command, ...args] = process.argv.slice(2)
const failed = (error: Error): never => {
  process.stderr.write(`gateway: ${error.message}\n`)
  process.exit(1)
}
if (command === 'redeliver') {
  const token = process.env['GATEWAY_HTTP_TOKEN']
  await redeliver(args, { token }).then(told => process.stdout.write(`${told}\n`), failed)
} else if (command === 'keys' || command === 'wrap') {
  try {
    if (command === 'keys') sealKeys(args)
    else wrapKey(args)
  } catch (error) {
    failed(error as Error)
  }
} else {
  main().catch(failed)
}
