// The process that keeps a city busy while its starter kills the houses: records delivered again and again
// until they are answered, cards tapped without end. When it is told that all is calm it lets every card
// come back once, closes the day past every place where the ledger can die, and looks at every fen.
//
//   crash-main.ts '{"seed":1,"cards":12,"records":8000,"perSecond":200}'   (started by bin/crash-run.ts)

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type HttpClient, HttpFaultError, createHttpClient } from '../../runtime/http-client.ts'
import type { DayView, DeliveryReply } from '../../schemas/api.ts'
import type { LaneView, SpoolView } from '../../schemas/gateway.ts'
import { type ChipState, audit } from '../auditor/audit.ts'
import { createRandom, type Random } from '../random.ts'
import type { Farm } from '../reader/farm.ts'
import { days } from './cast.ts'
import { type Answered, answersOf, bodyOf, setUp, totals, verify } from './centre.ts'
import { claimsOf, lineSurprises } from './expect.ts'
import { gatewayConfig, openFarm } from './lanes.ts'
import { type CityPlan, planCity } from './plan.ts'
import type { Batch } from './records.ts'
import { type Access, starterOverIpc } from './starter.ts'
import type { Resident } from './taps.ts'

type Options = {
  readonly seed: number, readonly cards: number, readonly records: number, readonly perSecond: number
  /** Of a hundred taps, so many are torn off in mid-debit; 0 when absent. */
  readonly tornPercent?: number
  /** At these places of a closing the ledger dies; at all of them when absent. */
  readonly deaths?: readonly string[]
  readonly linesAtOnce?: number
}
type Place = {
  readonly plan: CityPlan, readonly access: Access, readonly farm: Farm, readonly ledger: string
}

const options: Options = JSON.parse(process.argv[2] ?? '{}')
const starter = starterOverIpc()
const calm = new AbortController()
/** The service of the readers while it is killed and comes back; the farm once there is one. */
let service: Promise<void> = Promise.resolve()
let readers: Farm | null = null
process.on('message', (message: { calm?: true, killPcscdMs?: number }) => {
  if (message.calm === true) calm.abort()
  const { killPcscdMs: forMs } = message
  if (forMs !== undefined) service = service.then(() => killPcscd(forMs))
})
const farmDir = mkdtempSync(join(tmpdir(), 'cc-crash-'))
const counted = { taps: 0, torn: 0, deliveries: 0, repeats: 0 }

async function run (): Promise<void> {
  const plan = richPlan(planCity({ linesAtOnce: 40, ...options }))
  const access = await starter.access()
  const farm = readers = await openFarm(farmDir, plan)
  const { url: ledger } = await starter.ledger(days.eve)
  await setUp(ledger, access, plan, () => undefined)
  await starter.ledger(days.morning)
  const spoolDir = join(access.dir, 'spool')
  const token = access.tokens['GW1'] ?? ''
  const config = gatewayConfig(plan, { socket: farm.socket, spoolDir, ledgerUrl: ledger, token })
  const { url: gateway } = await starter.gateway(config, days.morning)
  const place = { plan, access, farm, ledger }
  starter.tell({ step: 'flow', total: 0 })
  const [answered] = await Promise.all([deliverAll(place), tapUntilCalm(place, gateway)])
  starter.tell({ step: 'calm', total: 0 })
  await service
  await everyCardComesBack(place, gateway)
  const day = await closePastEveryDeath(place)
  starter.tell({ figures: await examine(place, answered, day) })
  await farm.stop()
}

/** The readers of all lanes are gone for so long; chips stay where they are. */
async function killPcscd (forMs: number): Promise<void> {
  await readers?.killPcscd({})
  await delay(forMs)
  await readers?.startPcscd({})
}

/** Nobody is listed here, and nobody runs out of money. */
function richPlan (plan: CityPlan): CityPlan {
  const residents = plan.residents.map(resident => ({
    ...resident,
    registered: { ...resident.registered, balanceFen: plentyFen },
    description: { ...resident.description, balanceFen: plentyFen }
  }))
  const cards = [...residents.map(({ registered }) => registered), ...plan.records.cards]
  const listed = new Set(residents.map(({ registered }) => registered.card))
  const add = plan.blacklist.add.filter(({ card }) => !listed.has(card))
  return { ...plan, residents, registry: { ...plan.registry, cards }, blacklist: { ...plan.blacklist, add } }
}
const plentyFen = 500_000

/* ---- again and again ---- */

/** Until it is answered. A fault says nothing: the request may have been carried out. */
async function insist<T> (work: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + insistMs; ;) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof HttpFaultError) || performance.now() > end) throw error
      counted.repeats++
      await delay(100)
    }
  }
}
const insistMs = 120_000

const clientFor = (url: string, token?: string): HttpClient => createHttpClient({
  baseUrl: url,
  random: Math.random,
  tries: 1,
  tryTimeoutMs: 10_000,
  ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })
})

/* ---- records ---- */

/** The first wave at its pace, the rest at once when all is calm; each batch by two workers at a time. */
async function deliverAll ({ plan, access, ledger }: Place): Promise<Answered[]> {
  const http = clientFor(ledger, access.tokens['DEPOT'])
  const answered: Answered[] = []
  for (const wave of plan.records.waves) {
    const waiting = [...wave]
    const worker = async () => {
      for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift()) {
        answered.push(...await deliverOnce(http, batch))
        counted.deliveries++
        const restMs = 2_000 * batch.lines.length / options.perSecond
        await delay(restMs, undefined, { signal: calm.signal }).catch(() => undefined)
      }
    }
    await Promise.all([worker(), worker()])
  }
  http.close()
  return answered
}

const deliverOnce = async (http: HttpClient, batch: Batch): Promise<Answered[]> =>
  answersOf(batch, await insist(() => http.post('/v1/records', bodyOf(batch))) as DeliveryReply)

/* ---- taps ---- */

/** One card after the other on every lane; what the gateway says of it is for the books to tell. */
async function tapUntilCalm ({ plan, farm }: Place, url: string): Promise<void> {
  const http = clientFor(url)
  const random = createRandom(`crash ${options.seed}`)
  const free = { national: [] as Resident[], city: [] as Resident[] }
  for (const resident of plan.residents) free[schemeOf(plan, resident)].push(resident)
  await Promise.all(plan.lanes.map(async ({ lane, mode, scheme }) => {
    while (!calm.signal.aborted) {
      const resident = free[scheme].shift()
      if (resident !== undefined) {
        const amountFen = mode === 'till' ? random.int(10, 200) : null
        if (random.chance((options.tornPercent ?? 0) / 100)) await tear(farm, resident.chip, random)
        await tapOnce(http, farm, resident.chip, lane, amountFen)
        await farm.disarm({ chip: resident.chip })
        free[scheme].push(resident)
      }
      await delay(random.int(20, 200))
    }
  }))
  http.close()
}

/** Before or after the chip has paid. */
async function tear (farm: Farm, chip: string, random: Random): Promise<void> {
  counted.torn++
  const commit = random.pick(['before', 'after'] as const)
  await farm.arm({ chip, fault: { kind: 'tear', commit, command: '8054' } })
}

const schemeOf = ({ lanes }: CityPlan, { registered: { profile } }: Resident) =>
  lanes.find(({ psam }) => (psam.profile === 't-union') === (profile === 't-union'))?.scheme ?? 'city'

/** In, until the lane has spoken or the gateway is away, out, until the lane has seen it go. */
async function tapOnce (
  http: HttpClient, farm: Farm, chip: string, lane: string, amountFen: number | null
): Promise<void> {
  const reader = `${lane} 00 00`
  counted.taps++
  if (amountFen !== null) await charge(http, lane, amountFen).catch(isFault)
  await farm.insert({ chip, reader })
  await laneIs(http, lane, ({ state }) => spoken.has(state))
  if ((await farm.occupants({}))[reader] === chip) await farm.remove({ reader })
  await laneIs(http, lane, ({ state, cardReader }) => state === 'idle' && cardReader === 'empty')
}

const charge = (http: HttpClient, lane: string, amountFen: number) =>
  http.post(`/v1/lanes/${lane}/charges`, { amountFen, reference: `till ${counted.taps}` })

const spoken: ReadonlySet<string> = new Set(['approved', 'declined', 'torn'])
const patienceMs = 4_000

async function laneIs (http: HttpClient, lane: string, holds: (view: LaneView) => boolean): Promise<void> {
  for (const end = performance.now() + patienceMs; performance.now() < end; await delay(40)) {
    const views = await http.get('/v1/lanes').catch(isFault) as LaneView[] | undefined
    const view = views?.find(one => one.lane === lane)
    if (view === undefined) return await delay(500)
    if (holds(view)) return
  }
}

function isFault (error: unknown): undefined {
  if (!(error instanceof HttpFaultError)) throw error
  return undefined
}

/* ---- after the storm ---- */

/** Whatever a card left open is settled when it comes to any lane. */
async function everyCardComesBack ({ plan, farm }: Place, url: string): Promise<void> {
  const http = clientFor(url)
  await lanesReady(http)
  for (const end = performance.now() + insistMs; ; await delay(50)) {
    for (const resident of plan.residents) {
      const lane = plan.lanes.find(one => one.scheme === schemeOf(plan, resident) && one.mode === 'fare')
      await tapOnce(http, farm, resident.chip, lane?.lane ?? '', null)
    }
    // Readers that died a moment ago may not have seen a card in its time: then all come once more.
    if ((await insist(() => http.get('/v1/spool')) as SpoolView).openIntents === 0) break
    if (performance.now() > end) throw new Error('payments stay open although every card came back')
  }
  for (const end = performance.now() + insistMs; ; await delay(50)) {
    const { depth } = await insist(() => http.get('/v1/spool')) as SpoolView
    if (depth === 0) break
    if (performance.now() > end) throw new Error(`the spool still has ${depth} records`)
  }
  http.close()
}

/** After a death every lane finds its readers again. */
async function lanesReady (http: HttpClient): Promise<void> {
  for (const end = performance.now() + insistMs; ; await delay(50)) {
    const lanes = await insist(() => http.get('/v1/lanes')) as LaneView[]
    const waiting = lanes.filter(({ psam, cardReader }) => psam.state !== 'ready' || cardReader !== 'empty')
    if (waiting.length === 0) return
    if (performance.now() > end) throw new Error(`${waiting.map(({ lane }) => lane).join(', ')}: not ready`)
  }
}

const around = (states: readonly string[]): string[] =>
  states.flatMap(state => [`before-day-${state}`, `after-day-${state}`])

/** Where it dies in this run, of all places where it may. */
const deaths: ReadonlySet<string> = new Set(
  options.deaths ?? around(['cut', 'verified', 'cleared', 'approved', 'instructed']))

/** At each place the ledger dies once, is started again, and the same is asked again. */
async function closePastEveryDeath ({ access, ledger }: Place): Promise<DayView> {
  const path = `/v1/days/${days.clearingDate}`
  const signedIn = async (name: string) => clientFor(ledger, await signIn(ledger, access, name))
  const dying = async (place: string, work: () => Promise<unknown>) => {
    if (!deaths.has(place)) return
    await starter.arm(place)
    const survived = await work().then(() => true, error => isFault(error) !== undefined)
    if (survived) throw new Error(`the ledger did not die at ${place}`)
    await starter.revive()
  }
  const settler = await signedIn('settler')
  const close = () => settler.post(`${path}/close`, {}) as Promise<DayView>
  for (const place of around(['cut', 'verified', 'cleared'])) await dying(place, close)
  const { digest } = await insist(close)

  await (await signedIn('approver-1')).post(`${path}/approvals`, { digest })
  const second = await signedIn('approver-2')
  const approve = () => second.post(`${path}/approvals`, { digest })
  for (const place of around(['approved'])) await dying(place, approve)
  if (!deaths.has('after-day-approved')) await insist(approve)

  const instruct = () => settler.post(`${path}/instruct`, {}) as Promise<DayView>
  for (const place of around(['instructed'])) await dying(place, instruct)
  return await insist(instruct)
}

const signIn = async (url: string, { passwords }: Access, name: string): Promise<string> => {
  const words = { name, password: passwords[name] }
  const reply = await insist(() => clientFor(url).post('/v1/session', words))
  return (reply as { token: string }).token
}

/** Every chip event is in the books exactly once, and the books are whole. */
async function examine ({ plan, access, farm, ledger }: Place, answered: readonly Answered[], day: DayView) {
  const chips: ChipState[] = []
  for (const { chip, registered: { card, balanceFen, counter } } of plan.residents) {
    const { purse, log } = await farm.inspectCard({ chip })
    const opening = { balanceFen, counter }
    chips.push({ card, balanceFen: purse.balanceFen, counter: purse.offlineCounter, opening, log })
  }
  const audited = await audit({
    ledgerUrl: ledger, token: access.tokens['AUDITOR'] ?? '', chips: [...chips, ...plan.records.purses]
  })
  const found = await totals(ledger, access)
  const verified = await verify(ledger, access)
  const tapped = new Set(plan.residents.map(({ registered }) => registered.card.serial))
  const open = audited.cards.filter(one => tapped.has(one.card.serial) && one.differenceFen !== 0)
  const lostFen = chips.reduce((sum, { balanceFen }) => sum + plentyFen - balanceFen, 0)
  const offline = claimsOf({ ...plan, taps: [] })
  offline.delete('ISS')
  const wantedFen = [...offline.values()].reduce((sum, fen) => sum + fen, lostFen)
  const claimedFen = day.positions.filter(({ party }) => party !== 'ISS')
    .reduce((sum, { claimsFen, adjustmentsFen }) => sum + Number(claimsFen) + Number(adjustmentsFen), 0)
  const refused = Object.values(found.refused).reduce((sum, one) => sum + one, 0)
  return {
    ...counted,
    duplicates: plan.records.repeated,
    records: found,
    chipDebitsFen: lostFen,
    claimsFen: claimedFen,
    netSumFen: Number(day.netSumFen),
    dayState: day.state,
    verify: verified.ok ? 'ok' : 'failed',
    auditor: audited.ok ? 'ok' : 'failed',
    problems: [
      ...audited.problems,
      ...verified.checks.filter(({ ok }) => !ok).map(({ check, detail }) => `${check}: ${detail}`),
      ...lineSurprises(answered),
      ...open.map(({ card, differenceFen }) => `${card.serial}: ${differenceFen} fen still open`),
      ...(claimedFen === wantedFen
        ? []
        : [`operators claim ${claimedFen} fen, chips have paid them ${wantedFen}`]),
      ...(found.accepted + found.held + found.excluded + refused === found.distinct
        ? []
        : ['records and their verdicts differ in number'])
    ].slice(0, 50)
  }
}

try {
  const gone = starter.released.then(() => { throw new Error('the starter let go before the end') })
  gone.catch(() => undefined)
  await Promise.race([run(), gone])
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
} finally {
  rmSync(farmDir, { recursive: true, force: true })
  starter.leave()
}
// What is still under way when the starter has let go is nobody's any more; the farm ends with us.
process.exit()
