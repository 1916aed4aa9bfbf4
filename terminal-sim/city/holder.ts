// Somebody of the city who may be signed in as at the residents' portal, made up: entered by a clerk with two
// cards that paid this morning, let in with a code, and with something for the staff to decide.
import { cardKey } from '../../schemas/record.ts'
import type { CityPlan } from './plan.ts'
import type { Access, Holder } from './starter.ts'

const document = { kind: 'passport', number: 'MADE-UP-0001' } as const
const name = '雁小明'
const password = 'four ducks on the Xiang'
const cardsOfOne = 2

/** How to sign in as that person. Throws with the ledger's answer where it says no. */
export async function enterHolder (url: string, { passwords }: Access, plan: CityPlan): Promise<Holder> {
  const ask = async (method: string, path: string, body: unknown, own: Record<string, string> = {}) => {
    const answer = await fetch(new URL(path, url), {
      method, body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...own }
    })
    const said = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${said}`)
    return { said: JSON.parse(said === '' ? '{}' : said) as Record<string, string>, headers: answer.headers }
  }
  const { token } = (await ask('POST', '/v1/session', { name: 'clerk', password: passwords['clerk'] })).said
  const clerk = { authorization: `Bearer ${token}` }
  const { holder } = (await ask('POST', '/v1/holders', { document, name, phone: '13800000001' }, clerk)).said
  const own = cardsThatPaid(plan)
  for (const { registered: { card } } of own) {
    await ask('POST', `/v1/cards/${cardKey(card)}/holder`, { holder }, clerk)
  }
  const { code } = (await ask('POST', `/v1/holders/${holder}/activation`, {}, clerk)).said
  await ask('POST', '/v1/my/activation', { document, code, password })
  const session = await ask('POST', '/v1/my/session', { document, password })
  const cookie = session.headers.get('set-cookie')?.split(';')[0] ?? ''
  const inside = { cookie, 'x-csrf-token': session.said['csrf'] ?? '' }
  for (const { chip, registered: { card, counter } } of own.slice(0, 1)) {
    const amountFen = plan.taps.find(tap => tap.chip === chip)?.chipLosesFen ?? 0
    await ask('POST', '/v1/my/cases', {
      kind: 'refund', body: { card, counter: counter + 1, amountFen },
      words: '拿错了卡，请退还。I held the wrong card to it.'
    }, inside)
  }
  await ask('POST', '/v1/my/cases', {
    kind: 'complaint', body: {}, words: '刷卡机屏幕太暗，看不清余额。The screen at the reader is too dark.'
  }, inside)
  return { name, document, password }
}

/** Named cards that paid at each tap, the first of the plan. */
function cardsThatPaid ({ residents, taps }: CityPlan): CityPlan['residents'] {
  const paid = (chip: string) => {
    const own = taps.filter(tap => tap.chip === chip)
    return own.length > 0 && own.every(tap => tap.expect.reason === 'paid' && tap.chipLosesFen > 0)
  }
  return residents.filter(one => one.registered.type !== 'anonymous' && paid(one.chip)).slice(0, cardsOfOne)
}
