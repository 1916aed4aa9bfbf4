// Is it alive, is it ready, how is it doing, what does it offer.
import { Type } from 'typebox'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import type { App } from './app.ts'

const everyone = { allow: ['everyone'] } as const
const Ok = Type.Object({ status: Type.Literal('ok') }, { additionalProperties: false })
const text = (mediaType: string) => ({ content: { [mediaType]: { schema: Type.String() } } })

export const healthRoutes = ({ db, metrics, meters }: Ledger) => async (app: App): Promise<void> => {
  app.get('/healthz', { config: everyone, schema: { response: { 200: Ok } } }, async () =>
    ({ status: 'ok' as const }))

  app.get('/readyz', { config: everyone, schema: { response: { 200: Ok } } }, async () => {
    await db.query('select 1 from clearing_day limit 1').catch((cause: Error) => {
      throw new Refusal('unavailable', `the database does not answer: ${cause.message}`)
    })
    return { status: 'ok' as const }
  })

  app.get('/metrics', {
    config: everyone, schema: { response: { 200: text('text/plain; version=0.0.4') } }
  }, async (_request, reply) => {
    await meters.refresh()
    const page = metrics.render()
    return await reply.type('text/plain; version=0.0.4; charset=utf-8').serializer(asIs).send(page)
  })

  app.get('/openapi.json', {
    config: everyone, schema: { response: { 200: Type.Record(Type.String(), Type.Unknown()) } }
  }, async () => app.swagger() as never)
}

const asIs = (payload: unknown): string => String(payload)
