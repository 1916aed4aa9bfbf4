// `npm run sim -- registry` against a ledger that tells it over real HTTP: told by signed webhooks while a
// line fails, it answers, says what it decides, and both sides end with the same.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { startCourier } from '../ledger/jobs/courier.ts'
import { formatIso } from '../runtime/instants.ts'
import { cardKey } from '../schemas/record.ts'
import { cardOf } from './support/posting.ts'
import { secretOf, startDoors } from './support/ledger-http.ts'
import { card, smallCity } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())
t.setTimeout(180_000)
const root = join(import.meta.dirname, '..')

async function until (what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await holds()) return
    await delay(100)
  }
  throw new Error(`never: ${what}`)
}

const path = (number: number, what: string) => `/v1/cards/${cardKey(cardOf(number))}/${what}`

t.test('events in both directions, as the registry sees them', async t => {
  const door = await doors.open(formatIso(Date.now()), { privateWebhooks: true })
  const social = [0, 1].map(number => card(number, { type: 'social-security' }))
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([...social, card(2, { type: 'named' })]))
  const { holder } = await door.ok('clerk', 'POST', '/v1/holders', {
    name: 'Li', document: { kind: 'passport', number: 'E12345678' }
  })
  await door.ok('clerk', 'POST', path(0, 'holder'), { holder })
  const courier = await startCourier(door.ledger, {
    databaseUrl: door.databaseUrl, redisUrl: null, everyMs: 40, chance: () => 0
  })
  t.teardown(() => courier.close())

  const child = spawn(process.execPath, [
    'runtime/start.mjs', 'bin/sim.ts', 'registry', '--ledger', door.url, '--port', '0', '--approve',
    '--token', `SOCIAL.${secretOf('SOCIAL')}`
  ], { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = new Promise<number | null>(resolve => child.once('exit', resolve))
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => { shown += text })
  const type = (line: string): void => { child.stdin.write(`${line}\n`) }
  const sees = (words: RegExp) => until(String(words), () => words.test(shown))
  const move = (move: string, number = 0) => door.ok('hotline', 'POST', path(number, 'moves'),
    { move, reason: 'called' })

  await sees(/knows 2 cards/)
  await move('report_orally')
  await sees(/← #\d+ \S+#\S+: report_orally, normal → oral_loss, by house, holder H..… → 204/)
  door.clock.advance(1_000)
  type(`lost ${cardKey(cardOf(0))}`)
  await sees(/→ SIM-\S+-1: moved, loss/)
  await sees(/registry_lost, oral_loss → loss, by registry after SIM-\S+-1, holder H..… → 204/)
  type('again')
  await sees(/SIM-\S+-1: moved, loss \(its first answer\)/)
  type('compare')
  await sees(/2 cards, the same on both sides/)
  type(`lifted ${cardKey(cardOf(0))} 60`)
  await sees(/-2: superseded, loss/)

  type('down 1')
  type('help')
  await sees(/ {2}down CALLS/)
  await move('report_orally', 1)
  await sees(/← the line is down → 503/)
  door.clock.advance(10_000)
  await sees(/report_orally, normal → oral_loss, by house, holder nobody → 204/)

  const application = { holder, type: 'social-security', why: 'first' }
  await door.ok('clerk', 'POST', '/v1/card-applications', application)
  const step = (to: string) =>
    door.ok('registrar', 'POST', '/v1/card-applications/1/moves', { to, reason: 'as usual' })
  for (const to of ['task_made', 'health_asked']) await step(to)
  await sees(/application 1: health_asked, by house/)
  await sees(/application 1: health_approved, by registry after SIM-\S+-3/)
  await step('bank_asked')
  await sees(/application 1: bank_approved, by registry/)

  type('cards')
  await sees(/ of H..…: loss, heard loss: registry_lost by registry/)
  await door.db.query("update card set state = 'normal' where state = 'loss'")
  type('compare')
  await sees(/other on both sides:/)
  child.stdin.end()
  t.equal(await ended, 1, 'a script ends with 1 where both sides differ')
  t.notOk(shown.includes(cardOf(0).serial) || shown.includes(holder), 'no card and no person is named')
  await door.close()
})

t.test('who has no sign-in of a registry is told so', async t => {
  const door = await doors.open()
  const child = spawn(process.execPath, [
    'runtime/start.mjs', 'bin/sim.ts', 'registry', '--ledger', door.url, '--port', '0',
    '--token', `CITY.${secretOf('CITY')}`
  ], { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] })
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => { shown += text })
  child.stdin.end('')
  t.equal(await new Promise(resolve => child.once('exit', resolve)), 1)
  t.match(shown, /^403 forbidden/m)
  await door.close()
})
