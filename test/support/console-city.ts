// A small city with its console, for tests that look at it in a browser.
import { buildConsole } from '../../bin/build-console.ts'
import { bootstrap } from '../../ledger/people/bootstrap.ts'
import type { Role } from '../../schemas/api.ts'
import { password, type Door, type Doors } from './ledger-http.ts'
import { bankAccounts, city, debit } from './settling.ts'
import { card } from './small-city.ts'

/** What a terminal, a file or a person may write, and no page may take for more than text. */
export const markup = '<img src=x onerror="document.title=1"><script>document.title=2</script>'

/** Three bus taps of 1.80, two metro taps of 2.00, and a record that nobody can read; Monday is over. */
export async function consoleCity (doors: Doors): Promise<Door> {
  const door = await doors.open('2026-03-02T12:00:00+08:00', { consoleFolder: await buildConsole() })
  const cards = [card(1), card(2), card(3, { branch: 'SOUTH' })]
  await door.ok('registrar', 'PUT', '/v1/registry', city(cards, { bankAccounts }))
  await door.ok('gateway', 'POST', '/v1/records', {
    delivery: 'monday-noon',
    records: [
      debit(1, 1), debit(1, 2), debit(1, 3), debit(2, 1, 'M1', 200), debit(2, 2, 'M1', 200),
      { nonsense: markup }
    ]
  })
  door.clock.set(Date.parse('2026-03-03T01:00:00+08:00'))
  return door
}

/** Somebody more of the staff, who signs in as all others do. */
export const employ = async (
  { db, clock }: Door, name: string, roles: readonly Role[], branch?: string
): Promise<void> => await bootstrap(db, {
  staff: [{ name, password, roles: [...roles], ...branch === undefined ? {} : { branch } }]
}, clock.now())
