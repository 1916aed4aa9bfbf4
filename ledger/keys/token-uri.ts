// Where a token is and by which module one speaks to it: the URI of RFC 7512, cut down to the two names that
// are needed. It refuses to know the PIN.

export type TokenPlace = {
  /** Label of the token. */
  readonly token: string
  /** Path of the PKCS#11 module, for a ledger that of p11-kit's client. */
  readonly module: string
}

export const isTokenUri = (place: string): boolean => place.startsWith('pkcs11:')

/** `pkcs11:token=LABEL?module-path=PATH`. Throws with what is wrong and what it should look like. */
export function readTokenUri (uri: string): TokenPlace {
  const [, path = '', query = ''] = /^pkcs11:([^?]*)(?:\?(.*))?$/.exec(uri) ?? []
  const token = valuesOf(path, ';').get('token')
  const module = valuesOf(query, '&').get('module-path')
  if (token === undefined || token === '' || module === undefined || !module.startsWith('/')) {
    throw new Error(`${uri} is no token: pkcs11:token=LABEL?module-path=/PATH/OF/MODULE.so wanted`)
  }
  return { token, module }
}

export const tokenUri = ({ token, module }: TokenPlace): string =>
  `pkcs11:token=${encodeURIComponent(token)}?module-path=${encodeURI(module)}`

const valuesOf = (text: string, separator: string): Map<string, string> =>
  new Map(text.split(separator).map(part => {
    const at = part.indexOf('=')
    return [part.slice(0, at), decodeURIComponent(part.slice(at + 1))] as const
  }))
