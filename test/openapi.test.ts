// The description of the API is whole: each operation says what it does, for whom, and how it refuses.
import t from 'tap'
import { createLog } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { createApp } from '../ledger/http/app.ts'
import { routes } from '../ledger/http/routes.ts'

type Operation = {
  summary?: string, tags?: string[], security?: object[], description?: string,
  responses: Record<string, { content?: Record<string, { schema?: { $ref?: string } }> }>
}
/** Routes are told when they are made; nothing is served and no database is asked. */
const bare = () => ({ log: createLog('openapi', { level: 'silent' }), metrics: createMetrics() }) as never

t.test('each operation has a summary, a tag, its callers and a problem', async t => {
  const app = await createApp(bare())
  await app.register(routes(bare()))
  await app.ready()
  const { paths } = app.swagger() as unknown as { paths: Record<string, Record<string, Operation>> }
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, ...operation })))
  t.ok(operations.length > 90, `${operations.length} operations`)
  const wrong = operations.flatMap(({ name, summary, tags, security, description, responses }) => [
    ...summary !== undefined && /^[A-Z][^\n]{4,90}(?<!\.)$/.test(summary) ? [] : [`${name}: summary ${summary}`],
    ...tags?.length === 1 ? [] : [`${name}: tags ${tags?.join()}`],
    ...security?.length === 1 || (security?.length === 0 && description?.startsWith('For everyone.') === true)
      ? []
      : [`${name}: neither security nor for everyone`],
    ...JSON.stringify(responses['default']?.content).includes('#/components/schemas/Problem')
      ? []
      : [`${name}: no problem`],
    ...Object.keys(responses).some(status => status.startsWith('2')) ? [] : [`${name}: no answer`]
  ])
  t.strictSame(wrong, [])
  const summaries = operations.map(({ summary }) => summary)
  t.strictSame(summaries.filter((one, place) => summaries.indexOf(one) !== place), [], 'no two alike')
  await app.close()
})

t.test('a route without a summary, or without callers, does not start', async t => {
  const app = await createApp(bare())
  t.throws(() => app.get('/v1/silent', { config: { allow: ['everyone'] } }, async () => null), /no summary/)
  t.throws(() => app.post('/v1/again', {
    config: { allow: ['everyone'] }, schema: { summary: 'Something' }
  }, async () => null), /what a repeat does/)
  t.throws(() => app.get('/v1/open', { schema: { summary: 'Something' } }, async () => null), /whom it allows/)
  await app.close()
})
