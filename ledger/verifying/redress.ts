// What people gave back, released or adjusted: each against its transfer, and no event gives back more than
// it took.
import { fareDifferences } from '../store/fares.ts'
import { paymentDifferences } from '../store/library.ts'
import { redressDifferences } from '../store/redress.ts'
import { serviceDifferences } from '../store/services.ts'
import { treasuryDifferences } from '../store/treasury.ts'
import { equal, type BookCheck } from './check.ts'

export const redressChecks: readonly BookCheck[] = [{
  name: 'what was given back is booked and was paid before',
  run: async ({ tx }) => equal(await redressDifferences(tx))
}, {
  name: 'library payments are the purchases they say',
  run: async ({ tx }) => equal(await paymentDifferences(tx))
}, {
  name: 'events of services are paid as they say',
  run: async ({ tx }) => equal(await serviceDifferences(tx))
}, {
  name: 'claims on the treasury are what moved',
  run: async ({ tx }) => equal(await treasuryDifferences(tx))
}, {
  name: 'what followed from fares is booked as it says',
  run: async ({ tx }) => equal(await fareDifferences(tx))
}]
