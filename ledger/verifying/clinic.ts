// Bills of clinics against what they moved, and sums of a year against the bills. It refuses to share out.
import {
  accumulatorDifferences, clinicPostingDifferences, clinicPurseDifferences
} from '../store/verify-clinic.ts'
import { equal, type BookCheck } from './check.ts'

export const clinicChecks: readonly BookCheck[] = [{
  name: 'sums of a person and a year are those of the bills that count',
  run: async ({ tx }) => equal(await accumulatorDifferences(tx))
}, {
  name: 'clinic bills are the transfers they say',
  run: async ({ tx }) => equal(await clinicPostingDifferences(tx))
}, {
  name: 'what online accounts paid for clinic bills are the purchases they say',
  run: async ({ tx }) => equal(await clinicPurseDifferences(tx))
}]
