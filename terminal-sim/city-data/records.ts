// A tap of the city as its terminal tells it: a record, signed as the chip of the test scheme signs.
import { hex, u32, unhex } from '../../schemas/epurse/hex.ts'
import { cardFactor, diversifier } from '../../schemas/epurse/keys.ts'
import { purchaseTac } from '../../schemas/epurse/mac.ts'
import { suites } from '../../schemas/epurse/suite.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import { testMasterKey } from '../keys.ts'
import type { City, Tap } from './city.ts'

const suite = suites['3des']
const keyOf = diversifier(suite, testMasterKey('MTK'))
const type = 0x09

/** Answers the record of a tap. */
export function recordMaker (city: City): (tap: Tap) => TransactionRecord {
  const day = city.parameters.day.replaceAll('-', '')
  const [date4, serials] = [unhex(day), city.cardOf]
  return tap => {
    const { service, terminal: nth, second, sequence, amountFen, kind } = tap
    const { terminal, psam } = city.terminalOf(service, nth)
    const { party, lines } = city.services[service] as City['services'][number]
    const time = timeOf(second)
    const card = serials(tap.card)
    const tac = kind === 'torn'
      ? null
      : hex(purchaseTac({
        suite, dtk: keyOf(cardFactor(unhex(card.serial))), amountFen, type, terminal6: unhex(psam),
        sequence4: u32(sequence), date4, time3: unhex(time)
      }))
    return {
      card, purse: 'ep', type: '09', counter: tap.counter, balanceBeforeFen: tap.beforeFen, amountFen, psam,
      sequence, dateTime: day + time, tac: kind === 'wrong_tac' ? flipped(tac ?? '') : tac,
      grey: kind === 'torn', keyVersion: 1, algorithm: 0, operator: party, terminal, recordNo: sequence,
      ...lines === undefined ? {} : { line: `L${nth % lines + 1}`, vehicle: `V${nth + 1}` }
    }
  }
}

const flipped = (tac: string): string =>
  tac.slice(0, -1) + (Number.parseInt(tac.slice(-1), 16) ^ 1).toString(16).toUpperCase()

function timeOf (second: number): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0')
  return two(second / 3_600) + two(second / 60 % 60) + two(second % 60)
}
