// Where a webhook may lead: addresses of the public internet, others only where the deployment says so. The
// address that was looked at is the one that is connected to, so no name can change in between.
import { lookup as resolveName, type LookupAddress, type LookupOptions } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

/** IANA's special-purpose registries: everything that is not globally reachable, or reaches us ourselves. */
const special = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8], ['10.0.0.0', 8], ['100.64.0.0', 10], ['127.0.0.0', 8], ['169.254.0.0', 16],
  ['172.16.0.0', 12], ['192.0.0.0', 24], ['192.0.2.0', 24], ['192.88.99.0', 24], ['192.168.0.0', 16],
  ['198.18.0.0', 15], ['198.51.100.0', 24], ['203.0.113.0', 24], ['224.0.0.0', 4], ['240.0.0.0', 4]
] as const) special.addSubnet(network, prefix, 'ipv4')
/** Of IPv6 only global unicast, and of that not what wraps an IPv4 address or is a documentation. */
const global6 = new BlockList()
global6.addSubnet('2000::', 3, 'ipv6')
for (const [network, prefix] of [
  ['2001::', 23], ['2001:db8::', 32], ['2002::', 16], ['3fff::', 20]
] as const) {
  special.addSubnet(network, prefix, 'ipv6')
}

export const isPublic = (address: string): boolean =>
  isIP(address) === 6
    ? global6.check(address, 'ipv6') && !special.check(address, 'ipv6')
    : isIP(address) === 4 && !special.check(address, 'ipv4')

/** Why nobody may be told at this URL, or null. Names are looked up when it is called. */
export function refusalOf (text: string, allowPrivate: boolean): string | null {
  if (!URL.canParse(text)) return 'not a URL'
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:')) return 'only https'
  if (url.username !== '' || url.password !== '') return 'no name or password in it'
  if (url.hash !== '') return 'no fragment in it'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !allowPrivate && !isPublic(host)) return `${host} is no public address`
  return null
}

/** For `node:http`: resolves a name and refuses it where any of its addresses is not allowed. */
export const guardedLookup = (allowPrivate: boolean): LookupFunction => (hostname, options, callback) => {
  const all = { ...options as LookupOptions, all: true as const }
  resolveName(hostname, all, (error, addresses: LookupAddress[]) => {
    if (error !== null) return callback(error, '', 0)
    const wrong = allowPrivate ? undefined : addresses.find(({ address }) => !isPublic(address))
    if (wrong !== undefined) {
      return callback(new Error(`${hostname} is ${wrong.address}, no public address`), '', 0)
    }
    if ((options as LookupOptions).all === true) return callback(null, addresses)
    const [first] = addresses
    callback(first === undefined ? new Error(`${hostname} has no address`) : null, first?.address ?? '',
      first?.family ?? 0)
  })
}
