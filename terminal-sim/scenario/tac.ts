// The TAC a chip of the test scheme would give, for records that no chip made.
import { cardFactor, diversify, orderFactors } from '../../schemas/epurse/keys.ts'
import { purchaseTac } from '../../schemas/epurse/mac.ts'
import { suites } from '../../schemas/epurse/suite.ts'
import { defaultPolicies } from '../../schemas/api.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import { testMasterKey } from '../keys.ts'
import type { Chip } from './world.ts'

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))

/** Upper-case hex. */
export function tacOf (chip: Pick<Chip, 'suite' | 'cityFactor'>, record: TransactionRecord): string {
  const suite = suites[chip.suite]
  const { tacKeyLevels, factorOrder } = defaultPolicies
  const city = chip.cityFactor === null || tacKeyLevels === 1 ? null : bytes(chip.cityFactor)
  const factors = orderFactors(factorOrder, city, cardFactor(bytes(record.card.serial)))
  const tac = purchaseTac({
    suite,
    dtk: diversify(suite, testMasterKey('MTK'), factors),
    amountFen: record.amountFen,
    type: Number.parseInt(record.type, 16),
    terminal6: bytes(record.psam),
    sequence4: bytes(record.sequence.toString(16).padStart(8, '0')),
    date4: bytes(record.dateTime.slice(0, 8)),
    time3: bytes(record.dateTime.slice(8))
  })
  return Buffer.from(tac).toString('hex').toUpperCase()
}
