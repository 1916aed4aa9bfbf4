// What a terminal does with a chip that lies on it when value is loaded: INITIALIZE, what it asks its host,
// CREDIT.
import {
  creditLoad, initLoad, initPurchase, parseCreditLoad, parseInitLoad, parseInitPurchase, selectByName
} from '../../schemas/epurse/apdu.ts'
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import { profiles } from '../../schemas/epurse/profiles.ts'
import type { LoadReply, NewLoad } from '../../schemas/load.ts'
import { cardChip, type CardChip } from '../../terminal-sim/card/card-chip.ts'
import { createRandom } from '../../terminal-sim/random.ts'
import type { InHand } from './chips-in-hand.ts'
import { cardOf } from './posting.ts'

export const terminal = '990000000099'
export const newCard = (number: number, more: object = {}): CardChip => cardChip({
  profile: 't-union', issuer: cardOf(number).issuer, serial: cardOf(number).serial, balanceFen: 5_000,
  offlineCounter: 100, ...more
}, createRandom(`card ${number}`))

export async function say ({ channel }: InHand, command: Uint8Array): Promise<Uint8Array> {
  const answer = await channel.transmit(command)
  if (answer.kind === 'unknown') throw new Error(answer.why)
  if (answer.sw !== 0x9000) throw new Error(answer.sw.toString(16))
  return answer.data
}

/** What a terminal sends to the host after INITIALIZE. */
export async function initialise (
  hand: InHand, number: number, amountFen: number
): Promise<Omit<NewLoad, 'key'>> {
  await say(hand, selectByName(profiles['t-union'].aid))
  const asked = { purse: 2, keyIndex: 1, amountFen, terminal6: unhex(terminal) } as const
  const spent = parseInitPurchase(await say(hand, initPurchase({ ...asked, amountFen: 0 })))
  const init = parseInitLoad(await say(hand, initLoad(asked)))
  if (!init.ok || !spent.ok) throw new Error('INITIALIZE')
  return {
    card: cardOf(number), source: 'agent', amountFen, party: 'SHP', terminal,
    chip: {
      balanceFen: init.balanceFen, onlineCounter: init.counter, offlineCounter: spent.counter,
      keyVersion: init.keyVersion, algorithm: init.algorithm, random: hex(init.rand4), mac1: hex(init.mac1)
    }
  }
}

export const creditOf = ({ dateTime, mac2 }: LoadReply) => {
  const moment = unhex(dateTime ?? '')
  return creditLoad({ date4: moment.slice(0, 4), time3: moment.slice(4), mac2: unhex(mac2 ?? '') })
}
export async function credit (hand: InHand, reply: LoadReply): Promise<string> {
  const taken = parseCreditLoad(await say(hand, creditOf(reply)))
  return taken.ok ? hex(taken.tac) : ''
}
