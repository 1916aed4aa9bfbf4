// Online requests between deliveries: something is wanted of an online account, taken back, taken back before
// it came, moved again, or never arrives. Everything is asked twice.
import type { MoneyRequest } from '../../../schemas/request.ts'
import { answerRequests } from '../../../ledger/posting/requests.ts'
import { Refusal } from '../../../ledger/refusal.ts'
import { ownCards, type Party } from '../city.ts'
import { refOf } from '../history.ts'
import { often, same, worldOf, type Deed, type Scene } from './scene.ts'

/** Something is wanted of an online account, or taken back, or repeated; now and then it never arrives. */
export const requestSomething: Deed = async (scene, reference) => {
  const { random, wanted } = scene
  const request = somethingWanted(scene, `request-${reference}`)
  wanted.set(request.key, request)
  if (random.int(0, 5) === 0) return same
  const real: unknown[] = []
  for (let times = 0; times < 2; times++) {
    const [answer] = await often(scene, async ledger =>
      await answerRequests(ledger, [{ client: 'GW', party: null, request }]))
    real.push(answer instanceof Refusal || answer === undefined ? '?' : answer.reason)
  }
  const reason = answerOf(scene, request)
  return { real, model: [reason, reason] }
}

function somethingWanted ({ random, wanted }: Scene, key: string): MoneyRequest {
  const chance = wanted.size === 0 ? 0 : random.int(0, 9)
  if (chance < 6) {
    const party = random.pick(['BUS', 'BUS', 'MET', 'MET', 'OLD'] as const)
    return {
      kind: chance < 3 ? 'top_up' : 'purchase', key, card: refOf(random.int(0, ownCards - 1)),
      amountFen: random.int(1, 400), party, ...party === 'MET' ? { terminal: 'M1' } : {}
    }
  }
  const of = random.pick([...wanted.values()])
  if (chance === 9) return of
  const reversed = [...wanted.values()].filter(({ kind }) => kind === 'reversal')
  if (chance === 8 && reversed.length > 0) {
    return { kind: 'reinstatement', key, of: { key: random.pick([...reversed, of]).key } }
  }
  const part = random.int(0, 1) === 0 ? {} : { amountFen: random.int(1, 200) }
  return { kind: 'reversal', key, of: { key: of.key }, ...part }
}

function answerOf (scene: Scene, request: MoneyRequest): string {
  const { online } = scene.model
  const { key } = request
  if (request.kind === 'reversal') return online.reverse(key, request.of.key, request.amountFen ?? null)
  if (request.kind === 'reinstatement') return online.reinstate(key, request.of.key)
  const { kind, card, amountFen: fen, terminal = null } = request
  const party = request.party as Party
  return online.ask(key, { kind, card: Number(card.serial.slice(-4)), fen, party, terminal },
    worldOf(scene).date)
}
