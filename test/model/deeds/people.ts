// What people do about records between deliveries: refunds, disputes, decisions about what is held,
// estimates, grey records that are given up, chips read at a counter, a company that comes back.
import { readCardAtCounter } from '../../../ledger/cards/card-reading.ts'
import { answerDispute, decideDispute, raiseDispute } from '../../../ledger/redress/dispute.ts'
import { refund } from '../../../ledger/redress/refund.ts'
import { ownCards, psams, type Psam } from '../city.ts'
import { ending, psamNumbers, refOf } from '../history.ts'
import type { DisputeEnd } from '../model.ts'
import { member, orRefused, propose, reasonOf, same, worldOf, type Deed, type Scene } from './scene.ts'

const clerk = member('clerk', 'clerk')
const other = member('clerk-2', 'clerk')
const third = member('clerk-3', 'clerk')

const someUse = ({ random, told }: Scene): { card: number, counter: number, amountFen: number } => {
  const { card, counter } = random.pick(told)
  return { card, counter, amountFen: random.int(1, 200) }
}

/** A refund of some use of some chip. */
export const refundSomething: Deed = async (scene, reference) => {
  const { card, counter, amountFen } = someUse(scene)
  if (!scene.model.isClear(card, counter)) return same
  const wanted = { card: refOf(card), counter, amountFen, reason: 'brought the receipt', reference }
  const real = await orRefused(refund(scene.ledger, clerk, wanted))
  return { real: real !== null, model: scene.model.refund(card, counter, amountFen) }
}

/** A dispute about some use of some chip: raised, contested, and accepted or refused. */
export const disputeSomething: Deed = async scene => {
  const { ledger, model, random } = scene
  const { card, counter, amountFen } = someUse(scene)
  const side = random.pick(['holder', 'operator'] as const)
  const accepts = random.int(0, 2) > 0
  if (!model.isClear(card, counter)) return same
  const words = 'says that it was not so'
  const wanted = { card: refOf(card), counter, side, amountFen, reason: words }
  const id = await orRefused(raiseDispute(ledger, clerk, wanted))
  let real: DisputeEnd | null = null
  if (id !== null) {
    await answerDispute(ledger, other, id, { stance: 'contests', words })
    const reason = await reasonOf(decideDispute(ledger, third, id, { accepts, words }))
    real = reason !== 'ok' ? 'ANSWERED' : accepts ? 'ACCEPTED' : 'REFUSED'
  }
  return { real, model: model.dispute(card, counter, amountFen, side, accepts, worldOf(scene)) }
}

/** Two people look at a record that is held for a conflict or its PSAM: it is good, or it is not. */
export const decideSomething: Deed = async scene => {
  const { ledger, model, random, told } = scene
  const held = model.verdicts().filter(({ reason }) => ['conflict', 'psam_regression'].includes(reason))
  const tap = held.length === 0 ? random.pick(told) : random.pick(held).tap
  const isReleased = random.int(0, 1) === 0
  const body = {
    card: refOf(tap.card), counter: tap.counter, psam: psamNumbers[tap.psam], sequence: tap.sequence,
    to: isReleased ? 'operator' : 'nobody'
  }
  const real = await propose(ledger, { kind: 'held_release', body })
  return { real, model: model.decide(tap, isReleased ? 'released' : 'rejected') }
}

/** Two people give the records of a PSAM that are held for their clock a time. */
export const redateSomething: Deed = async ({ ledger, model, random }) => {
  const psam = random.pick(Object.keys(psams) as Psam[])
  const { issue } = random.pick(psams[psam])
  const real = await propose(ledger, { kind: 'redate', body: { psam: psamNumbers[psam], issue } })
  return { real, model: model.redate(psam, issue) }
}

/** Three people give up a grey record, or what they take for one. */
export const giveUpSomething: Deed = async ({ ledger, model, random, told }) => {
  const greys = model.verdicts().filter(({ reason }) => reason === 'grey')
  const { card, counter } = greys.length === 0 ? random.pick(told) : random.pick(greys).tap
  const body = { card: refOf(card), counter }
  const real = await propose(ledger, { kind: 'grey_expiry', body, approvals: 2 })
  return { real, model: model.giveUp(card, counter, ledger.clock.now()) }
}

/** Two people let the company that left come back. */
export const openSomething: Deed = async ({ ledger, model }) => {
  const body = { ...ending, open: true }
  const real = await propose(ledger, { kind: 'account_closing', body, by: 'settler' })
  return { real, model: model.openAgain(ledger.clock.now()) }
}

/** A chip is read at a counter: as it ought to be, or not. */
export const readSomething: Deed = async ({ ledger, model, random, told }) => {
  const tap = random.pick(told.filter(({ card }) => card < ownCards))
  const after = random.int(0, 2) > 0
  const counter = after ? tap.counter : tap.counter - 1
  const balanceFen = tap.beforeFen - (random.int(0, 2) === 0 ? 0 : after ? tap.amountFen : 0)
  await readCardAtCounter(ledger, refOf(tap.card), { counter, balanceFen }, 'clerk')
  model.read({ card: tap.card, counter, fen: balanceFen, atMs: ledger.clock.now() })
  return same
}
