// The files of the console and of the residents' portal: read once, given out with headers that let nothing
// foreign run beside them. It refuses to know what they show; they ask the same doors as everybody.
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import type { FastifyReply } from 'fastify'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import type { App } from './app.ts'

/** A build of the console, in memory. */
export type Console = {
  readonly index: Buffer
  /** The page of residents. */
  readonly my: Buffer
  /** By their names below `assets/`, each with the hash of its content. */
  readonly assets: ReadonlyMap<string, Asset>
}
type Asset = { readonly type: string, readonly bytes: Buffer, readonly gzipped: Buffer | null }

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8'
}

/** What bin/build-console.ts left in a folder. */
export function readConsole (folder: string): Console {
  const assets = join(folder, 'assets')
  const names = readdirSync(assets)
  const read = (name: string) => readFileSync(join(assets, name))
  return {
    index: readFileSync(join(folder, 'index.html')),
    my: readFileSync(join(folder, 'my.html')),
    assets: new Map(names.filter(name => extname(name) !== '.gz').map(name => [name, {
      type: types[extname(name)] ?? 'application/octet-stream',
      bytes: read(name), gzipped: names.includes(`${name}.gz`) ? read(`${name}.gz`) : null
    }]))
  }
}

export const consoleRoutes = ({ console }: Ledger) => async (app: App): Promise<void> => {
  if (console == null) return
  const shown = { config: { allow: ['everyone'] }, schema: { hide: true, summary: 'The console' } } as const

  for (const place of ['/console', '/my']) {
    app.get(place, shown, async (_request, reply) => await reply.redirect(`${place}/`, 308))
  }

  app.get('/console/assets/:name', shown, async (request, reply) => {
    const { name } = request.params as { name: string }
    const asset = console.assets.get(name)
    if (asset === undefined) throw new Refusal('not_found', 'no such file; load the page anew')
    const zipped = asset.gzipped !== null && /\bgzip\b/.test(String(request.headers['accept-encoding']))
    if (zipped) reply.header('content-encoding', 'gzip')
    return await guarded(reply).type(asset.type).header('vary', 'accept-encoding')
      .header('cache-control', 'public, max-age=31536000, immutable')
      .send(zipped ? asset.gzipped : asset.bytes)
  })

  // Each address inside is the same page: what is shown there is the page's business.
  const page = async (reply: FastifyReply, html: Buffer) =>
    await guarded(reply).type('text/html; charset=utf-8').header('cache-control', 'no-store')
      .header('content-security-policy', policy).send(html)
  app.get('/console/*', shown, async (_request, reply) => await page(reply, console.index))
  app.get('/my/*', shown, async (_request, reply) => await page(reply, console.my))
}

/** No script and no style but our files, no call but to this ledger, no frame around it. */
const policy = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
  "form-action 'none'", "base-uri 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"
].join('; ')

const guarded = (reply: FastifyReply): FastifyReply => reply.headers({
  'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin', 'cross-origin-resource-policy': 'same-origin'
})
