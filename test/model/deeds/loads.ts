// Loads between deliveries, as load terminals tell of them: asked, told rightly, wrongly or never, withdrawn
// before they were asked. Everything is said twice.
import type { Ledger } from '../../../ledger/ledger.ts'
import { askLoad, tellLoad } from '../../../ledger/posting/loads.ts'
import type { Random } from '../../../terminal-sim/random.ts'
import { refOf, type PlannedLoad } from '../history.ts'
import type { ToldLoad } from '../loads.ts'
import { often, same, worldOf, type Deed, type Scene } from './scene.ts'

type Macs = { readonly load: (asked: { readonly ask: string }) => Promise<object> }
/** Its MACs are right; other tests look at them. */
const withKeys = (ledger: Ledger, tacRight: boolean): Ledger => {
  const load: Macs['load'] = ({ ask }) =>
    Promise.resolve({ known: true, right: ask !== 'tac' || tacRight, mac2: new Uint8Array(4) })
  return { ...ledger, tac: { ...ledger.tac, load } as unknown as Ledger['tac'] }
}

/** A load that some chip waits for: asked, and told as the terminal saw it, or never. */
export const loadSomething: Deed = async (scene, reference) => {
  const { model, random, loads, silent } = scene
  if (loads.length === 0) return same
  const { card: wanted } = random.pick(loads)
  const [load] = loads.splice(loads.findIndex(one => one.card === wanted), 1) // of a chip one after the other
  if (load === undefined) return same
  const key = `load-${reference}`
  const answers: unknown[] = []
  const expected: unknown[] = []
  if (random.int(0, 9) === 0) { // given up before the question arrives
    answers.push(await tell(scene, key, load.card, { outcome: 'withdrawn' }))
    expected.push(model.loads.tell(key, load.card, { outcome: 'withdrawn' }, worldOf(scene)))
  }
  const reason = model.loads.ask(key, load, worldOf(scene))
  for (let times = 0; times < 2; times++) {
    answers.push(await ask(scene, key, load))
    expected.push(reason)
  }
  const told = reason === 'ok' ? sawOf(load, random) : null
  if (told !== null) {
    for (let times = 0; times < 2; times++) {
      answers.push(await tell(scene, key, load.card, told))
      expected.push(model.loads.tell(key, load.card, told, worldOf(scene)))
    }
  }
  if (reason === 'ok') silent.push({ key, load })
  return { real: answers, model: expected }
}

/** What a terminal saw of a load, and is sometimes wrong about; null where it saw nothing. */
function sawOf ({ taken }: PlannedLoad, random: Random): ToldLoad | null {
  const chance = random.int(0, 9)
  if (chance < 3) return null
  if (chance === 3) return { outcome: 'written', tacRight: false }
  if (chance === 4) return { outcome: 'withdrawn' }
  return taken ? { outcome: 'written', tacRight: true } : { outcome: 'withdrawn' }
}

/** The chip of an earlier load is asked again: all it can say is its online counter. */
export const countSomething: Deed = async scene => {
  const { model, random, silent } = scene
  if (silent.length === 0) return same
  const { key, load } = random.pick(silent)
  const told = { outcome: 'counted' as const, onlineCounter: load.onlineCounter + Number(load.taken) }
  const real = await tell(scene, key, load.card, told)
  return { real, model: model.loads.tell(key, load.card, told, worldOf(scene)) }
}

async function ask (scene: Scene, key: string, planned: PlannedLoad): Promise<string> {
  const { card, counter, beganFen, fen, onlineCounter, source } = planned
  const chip = {
    balanceFen: beganFen, onlineCounter, offlineCounter: counter, keyVersion: 1, algorithm: 0,
    random: '00000000', mac1: '00000000'
  }
  const asked = { key, card: refOf(card), source, amountFen: fen, party: 'BUS' }
  const load = { ...asked, chip, terminal: '990000000099' }
  const { reason } = await often(scene, async ledger =>
    await askLoad(withKeys(ledger, true), { client: 'GW', load }))
  return reason
}

async function tell (scene: Scene, key: string, card: number, said: ToldLoad): Promise<string> {
  const tacRight = said.outcome !== 'written' || said.tacRight
  const told = {
    key, card: refOf(card), outcome: said.outcome, ...said.outcome === 'written' ? { tac: '00000000' } : {},
    ...said.outcome === 'counted' ? { onlineCounter: said.onlineCounter } : {}
  }
  return (await often(scene, async ledger =>
    await tellLoad(withKeys(ledger, tacRight), { client: 'GW', told }))).state
}
