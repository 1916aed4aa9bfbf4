// The door for the registry: who and what takes part.
import { Registry, RegistryReply } from '../../schemas/api.ts'
import { limits } from '../../schemas/limits.ts'
import type { Ledger } from '../ledger.ts'
import { register } from '../parameters/registry.ts'
import type { App } from './app.ts'
import { callerIn, memberOf } from './auth.ts'

export const registryRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.put('/v1/registry', {
    config: { allow: ['registrar'] },
    bodyLimit: limits.documentBytesMax,
    schema: { body: Registry, response: { 200: RegistryReply } }
  }, async request => await register(ledger, request.body, memberOf(callerIn(request))))
}
