// Names of debits that chips made, as libraries and clinics are told them: PSAM-SEQUENCE.
import { cardKey } from '../../schemas/record.ts'
import { StepError } from './verb.ts'
import { known, type World } from './world.ts'

/** As the PSAM of the desk has told it: of a record that was said here, or of a real tap. */
export async function debitOf (world: World, said: string): Promise<string> {
  const sent = world.records.get(said)?.record
  if (sent !== undefined) return `${sent.psam}-${sent.sequence}`
  const [card = '', counter] = said.split('/')
  const key = cardKey(known(world.chips, 'card', card).ref)
  await world.edge?.taken()
  const view = (await world.api.records()).find(one =>
    one.card !== null && cardKey(one.card) === key && one.counter === Number(counter))
  if (view !== undefined) return `${view.psam}-${view.sequence}`
  throw new StepError(`there is no record ${said}`, 'a record that was delivered, or CARD/COUNTER of a tap')
}
