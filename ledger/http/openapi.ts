// The API's description, made from the very schemas that check requests: OpenAPI 3.1 at /openapi.json.
import swagger from '@fastify/swagger'
import type { FastifyContextConfig, FastifySchema } from 'fastify'
import fp from 'fastify-plugin'
import type { App } from './app.ts'

export const openapi = fp(async (app: App) => {
  const named = new Map<string, unknown>()
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Citizen Card ledger', version: '1', description: 'What happened on a chip becomes money.'
      },
      components: { securitySchemes: { bearer } }
    },
    transform: ({ schema, url, route }) => {
      const open = route.config?.allow?.includes('everyone') === true
      const security = open ? [] : [{ bearer: [] }]
      const described = {
        tags: [tagOf(url)], security, description: says(route.config ?? {}), ...schema as object
      }
      return { schema: byName(described, named) as FastifySchema, url }
    },
    transformObject: document => {
      if (!('openapiObject' in document)) throw new TypeError('OpenAPI 3 was asked for')
      const { openapiObject } = document
      const schemas = Object.fromEntries([...named].sort(([a], [b]) => a < b ? -1 : 1))
      return {
        ...openapiObject, components: {
          ...openapiObject.components,
          schemas
        }
      } as typeof openapiObject
    }
  })
}, { name: 'openapi' })

const bearer = {
  type: 'http', scheme: 'bearer',
  description: 'machines: id.secret; staff: the token that POST /v1/session answers'
} as const

/** Routes about one kind of thing stand together. */
const tagOf = (url: string): string => /^\/v1\/([a-z]+)/.exec(url)?.[1] ?? 'service'

const says = ({ allow = [], repeated }: FastifyContextConfig): string =>
  [`For ${allow.join(', ')}.`, ...repeated === undefined ? [] : [repeated]].join(' ')

/** Every schema that has an $id goes into `named` once; where it stood, a reference to it stays. */
function byName (value: unknown, named: Map<string, unknown>): unknown {
  if (Array.isArray(value)) return value.map(each => byName(each, named))
  if (typeof value !== 'object' || value === null) return value
  const { $id, ...rest } = value as Record<string, unknown>
  if (typeof $id === 'string' && named.has($id)) return reference($id)
  const walked = Object.fromEntries(Object.entries(rest).map(([key, each]) => [key, byName(each, named)]))
  if (typeof $id !== 'string') return walked
  named.set($id, walked)
  return reference($id)
}

const reference = (id: string) => ({ $ref: `#/components/schemas/${id}` })
