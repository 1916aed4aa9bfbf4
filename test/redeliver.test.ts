// The command that has a gateway deliver its spool again, against a door that answers as a gateway does.
import t from 'tap'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { redeliver } from '../gateway/redeliver.ts'

const since = '2026-03-02T05:00:00+08:00'

t.test('asks once, waits until all has gone, and says what went', async t => {
  const asked: string[] = []
  let range: object | null = { from: 12, to: 90 }
  let polls = 0
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => { body += chunk.toString() })
    request.on('end', () => {
      asked.push(`${request.method} ${request.url} ${body}`)
      const wrong = body.includes('yesterday')
      response.writeHead(wrong ? 400 : 200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(request.method === 'POST' ? { range } : { redelivering: ++polls < 3 }))
    })
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.equal(await redeliver(['--url', url, '--since', since], { pollMs: 1 }),
    'records 12 to 90 of the spool were delivered again')
  t.strictSame(asked, [
    `POST /v1/spool/redeliver {"since":"${since}"}`, ...Array(3).fill('GET /v1/spool ')
  ])
  range = null
  t.equal(await redeliver(['--url', url, '--since', since], { pollMs: 1 }),
    `the spool holds nothing since ${since}`)
  await t.rejects(redeliver(['--url', url, '--since', 'yesterday'], { pollMs: 1 }), /POST .*: 400/)
  await t.rejects(redeliver(['--url', url]), /wanted: --url/)
  server.close()
})
