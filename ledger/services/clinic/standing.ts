// What a request of a clinic is decided by: the person's past as far as it hangs on it, the rules, and what
// accounts hold. It reads and changes nothing.
import type { ClinicLook } from '../../../schemas/medical/clinic.ts'
import type { Bill } from '../../../schemas/medical/rule-set.ts'
import { Refusal } from '../../refusal.ts'
import {
  findMessage, findSettlement, isReversed, liveSettlements, messagesSince, nextSettlementNo, readRuleSets,
  type MessageRow, type PersonRow, type SettlementRow
} from '../../store/clinic.ts'
import type { Desk } from './desk.ts'
import { accountBalance, onlineBalance } from './money.ts'
import {
  decide, yearOf, type City, type Done, type Request, type Settlement, type Standing
} from './settlements.ts'
import { splitFrom } from './stored.ts'

/** Message ids are each sender's own. */
export const keyOf = ({ party }: Pick<Desk, 'party'>, message: string): string => `${party}/${message}`

export async function decided (desk: Desk, person: PersonRow, request: Request): Promise<Done> {
  const standing = await standingFor(desk, person, request)
  const no = request.do === 'settle' ? await nextSettlementNo(desk.tx) : 0n
  const city: City = { rules: await readRuleSets(desk.tx, person.area), newId: () => String(no) }
  return decide(standing, request, city)
}

type Billed = Omit<Extract<Request, { do: 'pre_settle' }>, 'do' | 'message'>

export async function billedOf (
  desk: Desk, person: PersonRow, { setting, date = desk.today, items, pays = {} }: ClinicLook
): Promise<Billed> {
  if (date > desk.today) throw new Refusal('body_invalid', `${date} is still to come`, '/date')
  const { scheme, category, bornOn, tags, area, family } = person
  const bill: Bill = {
    scheme, setting, level: desk.level, date, items,
    person: { category, tags: [...tags], ...bornOn === null ? {} : { bornOn } }
  }
  const { account = false, family: byFamily = false, purse } = pays
  return {
    area,
    bill,
    means: {
      accountFen: account ? await accountBalance(desk, person) : 0,
      familyFen: byFamily && family !== null ? await accountBalance(desk, family) : 0,
      purseFen: purse === undefined
        ? 0
        : purse.by === 'chip'
          ? purse.amountFen
          : Math.min(await onlineBalance(desk, person), purse.fenMax ?? Infinity)
    }
  }
}

/** As much of a person's past as the request hangs on. */
async function standingFor (desk: Desk, person: PersonRow, request: Request): Promise<Standing> {
  const { tx, partyId } = desk
  const nameOf = (key: string): string => key.slice(desk.party.length + 1)
  const reversed = new Set<string>()
  for (const key of request.do === 'reverse' ? [request.message, request.original] : [request.message]) {
    if (await isReversed(tx, partyId, nameOf(key))) reversed.add(key)
  }
  if ('bill' in request) {
    const live = await liveSettlements(tx, person.personId, Number(yearOf(request.bill)))
    return { settlements: live.map(settlementOf), answered: new Map(), reversed }
  }
  if (request.do === 'cancel') {
    const found = await ownSettlement(desk, person, request.settlement)
    return { settlements: found, answered: new Map(), reversed }
  }
  const original = await findMessage(tx, partyId, nameOf(request.original))
  if (original?.personId !== person.personId) return { settlements: [], answered: new Map(), reversed }
  const since = [original, ...await messagesSince(tx, person.personId, original.messageNo)]
  return {
    settlements: await ownSettlement(desk, person, original.reply.settlement ?? '0'),
    answered: new Map(since.map(one => [keyOf(one, one.message), answeredOf(one)])),
    reversed
  }
}

async function ownSettlement (
  desk: Desk, { personId }: PersonRow, settlement: string
): Promise<Settlement[]> {
  const row = await findSettlement(desk.tx, desk.partyId, BigInt(settlement))
  return row?.personId === personId ? [settlementOf(row)] : []
}

const settlementOf = (row: SettlementRow): Settlement => ({
  settlement: String(row.settlementNo), message: `${row.party}/${row.message}`, year: String(row.year),
  bill: row.bill as Bill, split: splitFrom(row.split), takenBackBy: row.takenBackBy
})

/** What a reversal asks of an earlier message: of which kind it was and what it did. */
const answeredOf = ({ asked, reply }: MessageRow): { request: Request, reply: Done['reply'] } =>
  ({ request: { do: asked.do } as Request, reply: reply as unknown as Done['reply'] })
