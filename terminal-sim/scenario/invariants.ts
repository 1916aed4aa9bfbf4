// What must hold after every scenario, unasked, as far as it can be seen from outside.
import { showYuan } from './values.ts'
import { compare, type Miss } from './verb.ts'
import type { World } from './world.ts'
import { sum } from './then/records.ts'
import { verification } from './then/proof.ts'

/** `provable` false: the scenario said itself that the books cannot be verified any more. */
export async function checkInvariants (world: World, provable: boolean): Promise<Miss[]> {
  const [trial, cards, totals] = [
    await world.api.accounts(),
    await world.api.cards(),
    await world.api.totals()
  ]
  const books = trial.books.flatMap(({ book, debitFen, creditFen }) =>
    compare(`debits less credits of the ${book} book`, '0.00', showYuan(Number(debitFen) - Number(creditFen)))
  )
  const control = trial.accounts
    .filter(one => one.heading === 'purse')
    .reduce((all, one) => all + Number(one.balanceFen), 0)
  const purses = cards.reduce((all, one) => all + Number(one.purse.shadowFen), 0)
  const ends = totals.accepted + totals.held + totals.excluded + sum(totals.refused)
  return [
    ...compare('sum of all accounts', '0.00', showYuan(Number(trial.sumFen))),
    ...books,
    ...(provable
      ? compare('sum of all purses against their control account', showYuan(control), showYuan(purses))
      : []),
    ...compare(
      'accepted + held + refused + excluded against distinct lines',
      String(totals.distinct),
      String(ends)
    ),
    ...(provable ? await proofMisses(world) : [])
  ]
}

async function proofMisses (world: World): Promise<Miss[]> {
  const report = await verification(world)
  const failed = report.checks
    .filter(one => !one.ok)
    .map(one => `${one.check}: ${one.detail}`)
    .join('; ')
  return compare('verify', 'ok', report.ok ? 'ok' : failed === '' ? 'not ok' : failed)
}
