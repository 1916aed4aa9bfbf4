// What the ledger uses of openid-client (6.x). It is optional and loaded only where an identity provider is
// configured, so the ledger is built and runs without it.
declare module 'openid-client' {
  export type Configuration = { readonly serverMetadata: () => { readonly issuer: string } }
  type Discovery = { readonly execute?: ((configuration: Configuration) => void)[] }

  export const allowInsecureRequests: (configuration: Configuration) => void
  export const discovery: (
    server: URL, clientId: string, secret: string, authentication?: undefined, options?: Discovery
  ) => Promise<Configuration>
  export const buildAuthorizationUrl: (
    configuration: Configuration, parameters: Record<string, string>
  ) => URL
  export const authorizationCodeGrant: (configuration: Configuration, current: URL, checks: {
    readonly expectedState: string, readonly expectedNonce: string, readonly pkceCodeVerifier: string
    readonly idTokenExpected: boolean
  }) => Promise<{ claims: () => Readonly<Record<string, unknown>> | undefined }>
  export const AuthorizationResponseError: ErrorConstructor
  export const ClientError: ErrorConstructor
  export const ResponseBodyError: ErrorConstructor
}
