// How staff sign in at an identity provider, as a file says it.
import { readFileSync } from 'node:fs'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { roles, type Role } from '../../schemas/api.ts'
import type { OidcSettings } from './oidc.ts'

const Text = Type.String({ minLength: 1, maxLength: 500 })
const File = Type.Object({
  issuer: Text, clientId: Text, clientSecret: Text, redirectUri: Text,
  nameClaim: Type.Optional(Text), rolesClaim: Type.Optional(Text),
  roles: Type.Record(Type.String(), Type.Array(Type.Unsafe<Role>(Type.String({ enum: [...roles] })))),
  insecure: Type.Optional(Type.Boolean({ description: 'plain HTTP: an issuer on this machine' }))
}, { additionalProperties: false })

/** Throws Error where the file is not as it must be. */
export function readOidc (path: string): OidcSettings {
  const said: unknown = JSON.parse(readFileSync(path, 'utf8'))
  const [wrong] = Value.Errors(File, said)
  if (wrong !== undefined) throw new Error(`${path}${wrong.instancePath}: ${wrong.message}`)
  const { nameClaim = 'preferred_username', rolesClaim = 'groups', insecure = false, ...rest } =
    Value.Parse(File, said)
  return { nameClaim, rolesClaim, insecure, ...rest }
}
