// when: the exchange of the national centre fetches what is owed, and tells what issuers do not pay.
import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import type { NationalReturnsReply } from '../../../schemas/national.ts'
import { claimsOf, forwardedOn } from '../national.ts'
import { day, name, text, yuan } from '../values.ts'
import { StepError, whenVerb } from '../verb.ts'
import { known, type World } from '../world.ts'

const closed = { additionalProperties: false } as const

export const centreConfirms = whenVerb({
  says: 'the national centre fetches all batches of a day, each twice, and confirms them by its own digest',
  example: 'centre_confirms: D',
  schema: day(),
  plan: (world, date) => [{
    act: async () => {
      for (const { batch } of await forwardedOn(world, date)) {
        const path = `/v1/national/outbound/${batch}`
        const [bytes, again] = [await fetched(world, path), await fetched(world, path)]
        if (!bytes.equals(again)) throw new Error(`${batch} is other bytes the second time`)
        const digest = createHash('sha256').update(bytes).digest('hex').toUpperCase()
        await world.api.call({ method: 'POST', path: `${path}/receipt`, as: 'centre', json: { digest } })
      }
    }
  }]
})

/** The bytes as they come, past the parser of JSON. */
async function fetched (world: World, path: string): Promise<Buffer> {
  const headers = { authorization: `Bearer ${world.access.tokens.centre}` }
  return Buffer.from(await (await fetch(new URL(path, world.ledgerUrl()), { headers })).arrayBuffer())
}

export const centreReturns = whenVerb({
  says: 'the national centre tells which records their issuers do not pay; the same id again is a retry',
  example: 'centre_returns: [{ id: R1, record: guest, cause: TAC does not match }]',
  schema: Type.Array(Type.Object({
    id: name('a name for the return'),
    record: Type.Optional(name('a record that was forwarded; nothing that anybody knows when absent')),
    amount: Type.Optional(yuan('all of it when absent')),
    cause: Type.Optional(text('why the issuer does not pay'))
  }, closed), { minItems: 1, description: 'returns' }),
  plan: (world, said) => [{
    act: async () => {
      const claims = await claimsOf(world)
      const returns = said.map(({ id, record, amount, cause = 'TAC does not match' }) => {
        if (record === undefined) return { id, claim: '999999999999999999', amountFen: amount ?? 1, cause }
        const { amountFen } = known(world.records, 'record', record).record
        const claim = claims.get(record)
        if (claim === undefined) {
          throw new StepError(`“${record}” was never forwarded`, [...claims.keys()].join(', '))
        }
        return { id, claim, amountFen: amount ?? amountFen, cause }
      })
      const tell = async () => await world.api.call({
        method: 'POST', path: '/v1/national/returns', as: 'centre', json: { returns }
      }) as NationalReturnsReply
      const { results } = await tell()
      for (const one of results) world.answers.set(`return ${one.id}`, one)
      if (world.modifiers.duplicate === true) assertSame(results, (await tell()).results)
    }
  }]
})

type Results = NationalReturnsReply['results']

function assertSame (first: Results, again: Results): void {
  const words = (results: Results) =>
    results.map(({ id, outcome, reason }) => `${id} ${outcome} ${reason}`).join(', ')
  if (words(first) === words(again) && again.every(one => one.replayed)) return
  throw new Error(`the same returns were answered ${words(again)}, the first time ${words(first)}`)
}
