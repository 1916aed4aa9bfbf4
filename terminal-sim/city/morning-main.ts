// The process that plays the morning: plans it, has the houses started, taps, delivers, closes the day, and
// lets the auditor look. Prints progress and, at the end, the figures, as JSON lines.
//
//   morning-main.ts '{"seed":1,"cards":40,"records":20000,"keep":false}'   (started by bin/demo.ts)

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { peakRssBytes } from '../../runtime/supervise.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import { type ChipState, audit } from '../auditor/audit.ts'
import type { CardReport } from '../card/description.ts'
import type { Farm } from '../reader/farm.ts'
import { days } from './cast.ts'
import { deliver, head, setUp, setUpParts, settleDay, totals, verify } from './centre.ts'
import { chipSurprises, daySurprises, lineSurprises, tapSurprises, totalSurprises } from './expect.ts'
import { figuresOf } from './figures.ts'
import { enterHolder } from './holder.ts'
import { gatewayConfig, openFarm, openLanes } from './lanes.ts'
import { type CityPlan, type PlanOptions, planCity } from './plan.ts'
import { type Access, type Starter, starterOverIpc } from './starter.ts'

const { keep = false, ...options } = JSON.parse(process.argv[2] ?? '{}') as PlanOptions & { keep?: boolean }
const starter = starterOverIpc()
const farmDir = mkdtempSync(join(tmpdir(), 'cc-city-'))

async function morning ({ access: ask, ledger, gateway, tell }: Starter): Promise<Farm> {
  const plan = planCity(options)
  const lineCount = plan.records.distinct + plan.records.repeated
  const oneMore = () => tell({ done: 1 })

  tell({ step: 'start', total: 3 })
  const opening = openFarm(farmDir, plan)
  opening.then(oneMore, () => undefined) // a failure is told where it is awaited
  const access = await ask()
  oneMore()
  const eve = await ledger(days.eve)
  oneMore()
  const readers = await opening
  tell({ step: 'publish', total: setUpParts(plan) })
  await setUp(eve.url, access, plan, oneMore)
  tell({ step: 'open', total: 2 })
  const { url } = eve // it stays where it is
  const spoolDir = join(access.dir, 'spool')
  const token = access.tokens['GW1'] ?? ''
  const config = gatewayConfig(plan, { socket: readers.socket, spoolDir, ledgerUrl: url, token })
  const [edge] = await Promise.all([
    gateway(config, days.morning).finally(oneMore), ledger(days.morning).finally(oneMore)
  ])
  const lanes = await openLanes(readers, plan, edge.url)

  tell({ step: 'tap', total: plan.taps.length })
  const seen = await lanes.carryOut(plan.taps, oneMore)
  await lanes.drained()
  tell({ step: 'deliver', total: lineCount })
  const startedMs = performance.now()
  const answered = await deliver(url, access, plan.records.waves, done => tell({ done }))
  const offlineMs = performance.now() - startedMs

  tell({ step: 'settle', total: 4 })
  const counted = await totals(url, access)
  const day = await settleDay(url, access, oneMore)
  tell({ step: 'audit', total: 2 })
  const verified = await verify(url, access)
  oneMore()
  const reports = new Map<string, CardReport>()
  for (const resident of plan.residents) reports.set(resident.chip, await lanes.inspect(resident))
  const audited = await auditAll(url, access, plan, reports)
  oneMore()
  const openPayments = await lanes.openPayments()
  lanes.close()
  if (keep) tell({ holder: await enterHolder(url, access, plan) })
  tell({
    figures: figuresOf(plan, {
      readers: readers.readers.length,
      seen,
      openPayments,
      reports,
      offlineLines: answered.length,
      offlineMs,
      totals: counted,
      day,
      head: await head(url, access),
      verify: verified,
      audit: audited,
      surprises: [
        ...tapSurprises(seen), ...lineSurprises(answered), ...chipSurprises(plan, reports),
        ...totalSurprises(plan, counted), ...daySurprises(plan, day)
      ],
      rssMiB: { farm: mebibytes(readers.pid), city: mebibytes(process.pid) }
    })
  })
  return readers
}

function mebibytes (pid: number): number {
  return Math.round(peakRssBytes(pid) / 2 ** 20)
}

/** The chips of the farm, asked themselves, and those that only their records tell of. */
function auditAll (
  url: string, { tokens }: Access, plan: CityPlan, reports: ReadonlyMap<string, CardReport>
) {
  const tapped = plan.residents.map(({ chip, registered }): ChipState => {
    const { purse, log } = reports.get(chip) as CardReport
    const { card, balanceFen, counter } = registered
    const opening = { balanceFen, counter }
    return { card, balanceFen: purse.balanceFen, counter: purse.offlineCounter, opening, log }
  })
  const handedIn = plan.records.waves.flat().flatMap(({ lines }) => lines)
    .filter(({ expect }) => expect.reason !== 'malformed' && expect.reason !== 'card_unknown')
    .map(({ record }) => record as TransactionRecord)
  return audit({
    ledgerUrl: url, token: tokens['AUDITOR'] ?? '', chips: [...tapped, ...plan.records.purses], handedIn
  })
}

let farm: Farm | null = null
try {
  const gone = starter.released.then(() => { throw new Error('the starter let go before the end') })
  gone.catch(() => undefined)
  farm = await Promise.race([morning(starter), gone])
  if (keep) await starter.released
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
} finally {
  await farm?.stop()
  rmSync(farmDir, { recursive: true, force: true })
  starter.leave()
}
// What is still under way when the starter has let go is nobody's any more; the farm ends with us.
process.exit()
