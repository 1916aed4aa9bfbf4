// What the national centre says between deliveries: that the issuer of a guest refuses what it was told of.
import { inflateSync } from 'node:zlib'
import type { NationalBatch } from '../../../schemas/national.ts'
import { takeReturns } from '../../../ledger/national/returns.ts'
import { recordFor } from '../history.ts'
import { same, type Deed } from './scene.ts'

/** The issuer of some guest refuses what it was told of; told twice, answered alike. */
export const returnSomething: Deed = async ({ ledger, model, random, told }, reference) => {
  const { rows } = await ledger.db.query<{ bytes: Buffer }>(
    'select bytes from national_batch order by clearing_date, part')
  const batches = rows.map(({ bytes }) => JSON.parse(inflateSync(bytes).toString()) as NationalBatch)
  const claims = batches.flatMap(({ entries }) => entries).filter(({ kind }) => kind === 'claim')
  if (claims.length === 0) return same
  const { claim, amountFen, record } = random.pick(claims)
  const centre = (await ledger.registry()).parties.get('NAT')
  if (centre === undefined) throw new Error('no national centre')
  const returned = [{ id: `return-${reference}`, claim, amountFen, cause: 'not ours' }]
  const [first] = await takeReturns(ledger, centre, returned, 'NAT')
  const [again] = await takeReturns(ledger, centre, returned, 'NAT')
  const tap = told.find(one => recordFor(one).card.serial === record.card.serial &&
    one.counter === record.counter && one.sequence === record.sequence &&
    recordFor(one).dateTime === record.dateTime && one.amountFen === record.amountFen)
  const time = claims.filter(one => Number(one.claim) <= Number(claim) &&
    one.record.counter === record.counter && one.record.card.serial === record.card.serial &&
    one.record.sequence === record.sequence && one.record.dateTime === record.dateTime).length
  const expected = tap !== undefined && model.giveBack(tap, time) ? 'charged_back' : 'refused'
  return { real: [first?.outcome, again?.outcome], model: [expected, expected] }
}
