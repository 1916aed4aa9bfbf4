// What the tests use of oidc-provider, which brings no types.
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  const Provider: new (issuer: string, configuration: object) => {
    callback: () => (request: IncomingMessage, response: ServerResponse) => void
  }
  export = Provider
}
