// Until its first day is cut a ledger is being set up, and its registrar fills it alone. From then on
// tariffs, policies, commissions, holidays and removals from the blacklist take a second person.
import type { Ledger } from '../ledger.ts'
import { isSettingUp } from '../store/days.ts'
import type { Db, Tx } from '../store/db.ts'

export async function needsSecondPerson (tx: Tx | Db, ledger: Pick<Ledger, 'registry'>): Promise<boolean> {
  const { policies } = await ledger.registry()
  return policies.parameterFourEyes && !await isSettingUp(tx)
}
