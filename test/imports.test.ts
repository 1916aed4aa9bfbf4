// Who may import whom, over the tree as it is, and over lines that break each rule once.

import t from 'tap'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkFile, checkImports } from '../bin/check-imports.ts'

t.test('no file of the tree imports what it must not', async t => {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..')
  t.same(checkImports(root).map(({ text }) => text), [])
})

t.test('the table', async t => {
  for (const row of rows(`
    gateway/sip2/session.ts      ../../schemas/sip2/spec.ts    fine
    gateway/sip2/session.ts      ./port.ts                     fine
    gateway/sip2/session.ts      ../../ledger/main.ts          refused
    ledger/upkeep.ts             ../gateway/spool.ts           refused
    ledger/upkeep.ts             ../runtime/log.ts             fine
    terminal-sim/main.ts         ../ledger/core/decide.ts      refused
    console/page.ts              ../ledger/store/pool.ts       refused
    schemas/record.ts            ../runtime/instants.ts        refused
    schemas/record.ts            node:crypto                   fine
    schemas/record.ts            node:fs                       refused
    schemas/record.ts            fs                            refused
    runtime/log.ts               ../schemas/record.ts          fine
    runtime/log.ts               ../gateway/main.ts            refused
    bin/demo.ts                  ../ledger/main.ts             refused
    bin/demo.ts                  ../runtime/supervise.ts       fine
    ledger/core/decide.ts        ../store/pool.ts              refused
    ledger/core/decide.ts        node:timers/promises          refused
    ledger/core/decide.ts        ../../schemas/reasons.ts      fine
    gateway/pcsc/port.ts         pcsclite                      fine
    gateway/pcsc/session.ts      pcsclite                      refused
    ledger/keys/cryptoki.ts      pkcs11js                      fine
    ledger/keys/token.ts         pkcs11js                      refused
    gateway/rs485/port.ts        serialport                    fine
    terminal-sim/line.ts         serialport                    refused
    ledger/core/rounding.ts      decimal.js                    fine
    ledger/core/split.ts         decimal.js                    refused
    ledger/store/purses.ts       pg                            fine
    ledger/main.ts               pg                            fine
    console/pages/day.tsx        react                         fine
    gateway/main.ts              react                         refused
    ledger/http/console.ts       ../../console/pages.tsx       refused
    ledger/upkeep.ts             pg                            refused
    gateway/spool.ts             pg                            refused
    test/store.test.ts           ../ledger/store/pool.ts       fine
    ledger/upkeep.ts             ../test/helper.ts             refused
    ledger/upkeep.ts             fastify                       fine
  `)) {
    const [path = '', target = '', verdict = ''] = row
    const count = checkFile(path, `import { x } from '${target}'`).length
    t.equal(count, verdict === 'refused' ? 1 : 0, row.join(' '))
  }
})

t.test('every way to import counts, and what only looks like one does not', async t => {
  const source = [
    "// import { x } from '../ledger/a.ts'",
    "import type { A } from '../ledger/a.ts'",
    "export { b } from '../ledger/b.ts'",
    "const c = await import('../ledger/c.ts')",
    "const text = `import { d } from '../ledger/d.ts'`",
    'import {',
    '  e',
    "} from '../ledger/e.ts'"
  ].join('\n')
  t.same(checkFile('gateway/x.ts', source).map(({ line }) => line), [2, 3, 4, 8])
  t.equal(checkFile('gateway/x.ts', source)[0]?.text,
    'gateway/x.ts:2: gateway must not import ledger/a.ts (gateway may import itself, schemas, runtime)')
})

const rows = (table: string): string[][] => table.trim().split('\n').map(line => line.trim().split(/\s+/))
