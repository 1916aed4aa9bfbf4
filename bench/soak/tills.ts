// Tills of a soak that speak ISO 8583, over connections and over a cable: sales, voids, reversals, answers
// that nobody waits for, batches that must agree. It refuses to know frames.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { sealTerminalKeys } from '../../gateway/keys.ts'
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import type { SideTotal } from '../../schemas/iso8583/exchanges.ts'
import type { Framing } from '../../schemas/iso8583/framing.ts'
import { openPos } from '../../terminal-sim/iso8583/pos.ts'
import type { Believed } from './shops.ts'
import { pauseMs, type Place, type Road } from './place.ts'

export const tillNames = ['P1', 'P2', 'P3', 'P4'] as const
/** On the cable. */
export const cableTill = 'P5'

const merchant = '898421000000001'
const master = unhex('0123456789ABCDEFFEDCBA9876543210')
const card = '3104990600000000001'
const answerMs = 30_000
const salesOfBatch = 40

export const isoSpeaks = (names: readonly string[], line: boolean) => ({
  protocol: 'iso8583' as const, line, deadlineMs: 2_000,
  terminals: names.map(terminal => ({ terminal, merchant, operator: 'SHP' })),
  issuers: [{ begins: '310499', issuer: '02313750FFFFFFFF' }]
})

/** The key file of the gateway, and what opens it. */
export function sealedKeys (path: string): Record<string, string> {
  const key = { suite: '3des' as const, master: hex(master) }
  const keys = Object.fromEntries([...tillNames, cableTill].map(name => [name, key]))
  writeFileSync(path, sealTerminalKeys({ keys }, 'soak', randomBytes(16), randomBytes(12)))
  return { GATEWAY_KEYS: path, GATEWAY_KEYS_PASSPHRASE: 'soak' }
}

export function till (
  { random, count }: Place, believed: Believed, road: Road, terminal: string, framing: Framing
): () => Promise<void> {
  const chance = random.fork(terminal)
  const pos = openPos({ terminal, merchant, master, framing, answerMs })
  let stream: Socket | null = null
  let sales = 0
  let debit: SideTotal = none
  let credit: SideTotal = none

  async function arrive (): Promise<void> {
    stream?.destroy()
    stream = await road.stream()
    pos.attach(stream)
  }

  /** True when it is taken back, as often as somebody has to ask. */
  async function reverse (trace: string, amountFen: number): Promise<void> {
    for (let tries = 0; tries < triesMax; tries++) {
      const code = await pos.reverse(trace, amountFen).then(answer => answer.code, () => null)
      if (code !== null && reversalEnds.has(code)) return
      assert(code === null, `a reversal is answered ${code}`)
      await arrive()
    }
    throw new Error(`${terminal} ${trace}: nobody takes it back`)
  }

  async function sell (): Promise<void> {
    const amountFen = chance.int(100, 9_000)
    const answer = await pos.purchase(card, amountFen).catch(() => null)
    const trace = pos.trace()
    if (answer === null) {
      count('ISO sales without an answer')
      await arrive()
      return await reverse(trace, amountFen)
    }
    assert(answer.code === '00' || answer.code === takenBack, `a sale is answered ${answer.code}`)
    count(answer.code === '00' ? 'ISO sales' : 'ISO sales taken back by the gateway')
    if (answer.code === '00') await afterSale(trace, amountFen)
  }

  async function afterSale (trace: string, amountFen: number): Promise<void> {
    if (chance.chance(0.1)) {
      count('ISO reversals')
      return await reverse(trace, amountFen)
    }
    debit = more(debit, amountFen)
    believed.soldFen += amountFen
    if (!chance.chance(0.1)) return
    const { code } = await pos.void(trace, amountFen)
    count('ISO voids')
    if (code !== '00') return assert.equal(code, takenBack)
    credit = more(credit, amountFen)
    believed.soldFen -= amountFen
  }

  /** The till is switched off before it hears the answer. */
  async function sellUnheard (): Promise<void> {
    const amountFen = chance.int(100, 9_000)
    const bytes = pos.frame('purchase', { 2: card, 4: String(amountFen).padStart(12, '0') })
    await new Promise(resolve => stream?.write(bytes, resolve))
    await delay(chance.int(0, 20))
    await arrive()
    await reverse(pos.trace(), amountFen)
    count('ISO sales unheard')
  }

  async function settle (): Promise<void> {
    const answer = await pos.settle({ debit, credit })
    assert.equal(answer.fields[48]?.[30], '1', `the batch of ${terminal} does not agree`)
    pos.startBatch(String(Number(pos.batch()) + 1).padStart(6, '0'))
    sales = 0
    debit = credit = none
    count('ISO batches')
  }

  async function comeAgain (): Promise<void> {
    stream?.destroy()
    await road.pull()
    await arrive()
  }

  async function signIn (): Promise<void> {
    const { code } = await pos.signIn()
    assert.equal(code, '00')
    count('ISO sign-ins')
  }

  return async () => {
    if (stream === null) await arrive()
    if (pos.key() === null || chance.chance(0.01)) await signIn()
    if (chance.chance(0.02)) await comeAgain()
    if (chance.chance(0.05)) await pos.ask('echo')
    if (chance.chance(0.05)) await sellUnheard()
    else await sell()
    sales += 1
    if (sales >= salesOfBatch) await settle()
    await delay(pauseMs)
  }
}

const none: SideTotal = { count: 0, amountFen: 0 }
const more = ({ count, amountFen }: SideTotal, by: number): SideTotal =>
  ({ count: count + 1, amountFen: amountFen + by })
const triesMax = 10
/** Field 39: no answer in time, the gateway takes it back by itself. */
const takenBack = '98'
const reversalEnds: ReadonlySet<string> = new Set(['00', '12', '25'])
