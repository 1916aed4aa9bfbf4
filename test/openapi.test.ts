// The description of the API is whole: each operation says what it does, for whom, and how it refuses.
import t from 'tap'
import { createLog } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { createApp } from '../ledger/http/app.ts'
import { refusals } from '../ledger/http/refusals.ts'
import { routes } from '../ledger/http/routes.ts'

type Operation = {
  summary?: string, tags?: string[], security?: object[], description?: string,
  responses: Record<string, {
    description?: string, content?: Record<string, { schema?: { $ref?: string } }>
  }>
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
    ...Object.entries(responses).flatMap(([status, { description, content }]) => {
      if (/^2/.test(status)) return []
      const isProblem = JSON.stringify(content?.['application/problem+json'])
        .includes('#/components/schemas/Problem')
      return isProblem && /^[45]/.test(status) && /^`\w+`: /.test(description ?? '')
        ? []
        : [`${name} ${status}: no problem with its reasons`]
    }),
    ...Object.keys(responses).some(status => status.startsWith('2')) ? [] : [`${name}: no answer`],
    ...'default' in responses ? [`${name}: says nothing by \`default\``] : []
  ])
  t.strictSame(wrong, [])
  const summaries = operations.map(({ summary }) => summary)
  t.strictSame(summaries.filter((one, place) => summaries.indexOf(one) !== place), [], 'no two alike')
  const named = new Set(operations.map(({ name }) => name.replace(/^\w+/, method => method.toUpperCase())))
  const shown = (route: string) => route.replace(/:(\w+)/g, '{$1}')
  t.strictSame(Object.keys(refusals).filter(route => !named.has(shown(route))), [], 'refusals of no route')
  await app.close()
})

/** Documents that are taken whole: a list inside is bounded by the city, and its reader needs all of it. */
const whole = new Set([
  '/v1/accounts', '/v1/blacklist', '/v1/cities', '/v1/tariffs', '/v1/ledger/{date}', '/v1/float/{date}',
  '/v1/operators/{party}/income', '/v1/journals/{journal}', '/v1/services/transit/tariffs',
  '/v1/clinic/centres', '/v1/clinic/rules'
])

t.test('every list is paged in one way', async t => {
  const app = await createApp(bare())
  await app.register(routes(bare()))
  await app.ready()
  const { paths } = app.swagger() as unknown as { paths: Record<string, Record<string, Listing>> }
  const lists = Object.entries(paths).flatMap(([path, { get }]) => {
    const schema = get?.responses['200']?.content?.['application/json']?.schema
    const isList = schema?.type === 'array' || schema?.properties?.['items'] !== undefined
    return !isList || whole.has(path) ? [] : [{ path, get, schema }]
  })
  t.ok(lists.length > 25, `${lists.length} lists`)
  for (const { path, get, schema } of lists) {
    const asked = (get?.parameters ?? []).filter(one => one.in === 'query').map(one => one.name)
    t.ok(asked.includes('limit'), `${path}: limit`)
    t.equal(asked.filter(one => one === 'after' || one === 'before').length, 1, `${path}: after or before`)
    t.strictSame(Object.keys(schema?.properties ?? {}).sort(), ['items', 'next'], `${path}: items and next`)
  }
  await app.close()
})

type Listing = {
  readonly parameters?: readonly { readonly in: string, readonly name: string }[]
  readonly responses: Record<string, {
    content?: Record<string, { schema?: { type?: string, properties?: Record<string, unknown> } }>
  }>
}

t.test('a route without a summary, or without callers, does not start', async t => {
  const app = await createApp(bare())
  t.throws(() => app.get('/v1/silent', { config: { allow: ['everyone'] } }, async () => null), /no summary/)
  t.throws(() => app.post('/v1/again', {
    config: { allow: ['everyone'] }, schema: { summary: 'Something' }
  }, async () => null), /what a repeat does/)
  t.throws(() => app.get('/v1/open', { schema: { summary: 'Something' } }, async () => null), /whom it allows/)
  await app.close()
})
