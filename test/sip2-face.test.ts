// Self-checks on real sockets and a real serial line, before a real ledger: sign-in, sequence rules, each
// message, three outcomes of a payment, a library with a system of its own.
import t, { type Test } from 'tap'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { openDesk, type Desk } from '../gateway/desk.ts'
import type { Face, PortHouse } from '../gateway/face.ts'
import { openSerialPort } from '../gateway/serial/port.ts'
import { sip2Face } from '../gateway/sip2/face.ts'
import { openTcpPort } from '../gateway/tcp/port.ts'
import { openGuard } from '../gateway/wire/guard.ts'
import type { Wire } from '../gateway/wire/wire.ts'
import { HttpFaultError, createHttpClient, type HttpClient } from '../runtime/http-client.ts'
import { createLog } from '../runtime/log.ts'
import { balances } from '../ledger/store/balances.ts'
import type { LibraryRules } from '../schemas/library.ts'
import type { Sip2Speaks } from '../schemas/sip2/config.ts'
import { say, valueOf, valuesOf, type Field, type Message, type Said } from '../schemas/sip2/message.ts'
import { openDevice } from '../terminal-sim/line/line.ts'
import { openPtyPair, whyNoPty } from '../terminal-sim/line/pty-pair.ts'
import {
  connectSelfCheck, type SelfCheck, type SelfCheckOptions
} from '../terminal-sim/self-check/self-check.ts'
import { secretOf, startDoors, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { recordingDisk } from './support/recording-disk.ts'
import { card, smallCity } from './support/small-city.ts'

t.setTimeout(300_000)
const doors = await startDoors()
t.teardown(() => doors.stop())

const rules: LibraryRules = {
  from: '2025-01-01', loanDays: 30, loansMax: 3, renewalsMax: 1, holdsMax: 5, finePerDayFen: 10,
  fineFenMax: 2_000, blockAboveFen: 500, depositFen: 0, closedWeekdays: [], closedOnHolidays: true,
  closedDates: [], accruing: 'refuse'
}
const ann = cardOf(0).serial
const ben = cardOf(1).serial
const day = 86_400_000
const date = '20260201    100000'
const speaks: Sip2Speaks = {
  protocol: 'sip2', library: 'LIB', institution: 'MAIN', name: '市图书馆',
  logins: [{ user: 'sc-1', password: 'open sesame', terminal: 'L1' }], answerSeconds: 2
}

async function opened (): Promise<Door> {
  const door = await doors.open('2026-02-01T10:00:00+08:00')
  const city = smallCity([0, 1].map(number => card(number)))
  await door.ok('registrar', 'PUT', '/v1/registry', {
    ...city, parties: [...city.parties ?? [],
      { code: 'LIB', kind: 'operator', nameZh: '图书馆', nameEn: 'Library', service: 'library' },
      { code: 'ILS', kind: 'operator', nameZh: '书院', nameEn: 'Academy', service: 'library' }]
  })
  await door.ok('registrar', 'PUT', '/v1/library/LIB/rules', rules)
  await door.ok('registrar', 'PUT', '/v1/library/LIB/catalogue', {
    items: ['one', 'two', 'three'].map(item => ({ item, title: `${item}号书` })),
    patrons: [
      { patron: 'R1', name: '张安', card: cardOf(0), password: '2580' },
      { patron: 'R2', name: 'Ben', card: cardOf(1), language: 'en' }]
  })
  const topUp = { kind: 'top_up', key: 'top-up-0', card: cardOf(0), amountFen: 10_000, party: 'SHP' }
  await door.ok('gateway', 'POST', '/v1/requests', topUp)
  return door
}
const pendingOf = async (door: Door, party: string): Promise<number> =>
  (await balances(door.db, null)).filter(row => row.heading === 'merchant-pending' && row.party === party)
    .reduce((sum, { creditFen, debitFen }) => sum + Number(creditFen - debitFen), 0)

/** A house whose ledger is the door, through a client that may lose answers. */
function houseOf (door: Door, lose = { answers: 0, away: false }): PortHouse {
  const headers = { authorization: `Bearer GW1.${secretOf('GW1')}` }
  const http = createHttpClient({ baseUrl: door.url, headers, random: () => 0.5, tries: 1 })
  t.teardown(() => http.close())
  const lossy = <A extends unknown[]>(call: (...given: A) => Promise<unknown>) => async (...given: A) => {
    if (lose.away) throw new HttpFaultError('the ledger', 'is away')
    const reply = await call(...given)
    if (lose.answers === 0 || !/payments|requests/.test(String(given[0]))) return reply
    lose.answers -= 1
    throw new HttpFaultError('the answer', 'was lost')
  }
  const client = { get: lossy(http.get), post: lossy(http.post), put: lossy(http.put) } as HttpClient
  const nowMs = () => performance.now()
  const log = createLog('sip2', { level: 'silent' })
  const shared = { clock: door.clock, nowMs, random: () => 0.5, log }
  const opened = openDesk({ http: client, files: recordingDisk(), ...shared })
  t.teardown(async () => (await opened).close())
  const desk: Pick<Desk, 'ask' | 'takeBack'> = {
    ask: async (...asked) => (await opened).ask(...asked),
    takeBack: async (...asked) => (await opened).takeBack(...asked)
  }
  const ignored = {
    heard: () => undefined, raise: () => undefined, clear: () => undefined, certificates: () => [],
    holders: () => []
  }
  const terminals = { find: (terminal: string) => ({ ok: terminal !== 'L9' }), ...ignored }
  return {
    ...shared, http: client, desk, newId: () => 'id', terminals,
    folder: () => recordingDisk(), spool: { refusal: () => null },
    guard: openGuard({ terminals, nowMs, log, limits: { requestsAtOnce: 10_000 } })
  } as unknown as PortHouse
}

const faceOf = (speaks: Sip2Speaks, house: PortHouse): Promise<Face> => sip2Face(speaks, house, 'SC')

async function served (t: Test, opening: Face | Promise<Face>): Promise<number> {
  const face = await opening
  const log = createLog('sip2', { level: 'silent' })
  const port = await openTcpPort({
    port: 'SC', address: { port: 0 }, begin: face.begin, random: () => 0.5, log
  })
  t.teardown(async () => {
    await port.close()
    await face.close()
  })
  return Number(port.view().address.split(':').at(-1))
}
async function terminal (t: Test, port: number, options: SelfCheckOptions = {}): Promise<SelfCheck> {
  const sc = await connectSelfCheck(port, options)
  t.teardown(() => sc.close())
  return sc
}
const login = (user = 'sc-1', password = 'open sesame'): Said =>
  say('93', { uidAlgorithm: '0', pwdAlgorithm: '0' }, [['CN', user], ['CO', password], ['CP', 'floor 1']])
const who: Field[] = [['AO', 'MAIN'], ['AA', ann], ['AC', ''], ['AD', '2580']]
const at: Record<string, (more?: Field[]) => Said> = {
  status: () => say('99', { statusCode: '0', printWidth: '080', version: '2.00' }),
  info: (more = who) => say('63', { language: '001', date, summary: '   Y      ' }, more),
  checkout: (more = []) =>
    say('11', { renewalPolicy: 'Y', noBlock: 'N', date, nbDueDate: date }, [...who, ...more]),
  checkin: (more = []) => say('09', { noBlock: 'N', date, returnDate: date }, [['AO', 'MAIN'], ...more])
}
const paying = (amount: string, more: Field[], fixed: object = {}): Said => say('37',
  { date, feeType: '04', paymentType: '02', currency: 'CNY', ...fixed }, [['BV', amount], ...who, ...more])
const shown = ({ code, fixed, fields }: Message): string =>
  `${code}${Object.values(fixed).join('')} ${fields.map(one => one.join('')).join('|')}`

/** Longer than the gateway waits for the ledger. */
const silence = async (sc: SelfCheck): Promise<unknown> =>
  await Promise.race([sc.line(), new Promise(resolve => setTimeout(resolve, 4_000, 'silence'))])

/** Signed in, with one fine of 3.50: 35 days late. */
async function fined (t: Test, door: Door, port: number): Promise<{ sc: SelfCheck, fee: string }> {
  const sc = await terminal(t, port)
  t.equal((await sc.say(login())).fixed['ok'], '1')
  await sc.say(at['checkout']?.([['AB', 'one']]) as Said)
  door.clock.advance((30 + 35) * day)
  const back = await sc.say(at['checkin']?.([['AB', 'one']]) as Said)
  const [fee = ''] = (valueOf(back, 'AF') ?? '').split(' ')
  t.match(valueOf(back, 'AF'), /^F\d+ 3\.50$/)
  return { sc, fee }
}

t.test('a day at a self-check, message by message', async t => {
  const door = await opened()
  const port = await served(t, faceOf(speaks, houseOf(door)))
  const sc = await terminal(t, port)
  t.equal(shown(await sc.say(login())), '941 ')
  t.equal(shown(await sc.say(at['status']?.() as Said)),
    '98YYYYYY10000320260201    1000002.00 AOMAIN|AM市图书馆|BXYYYYYYYYYYYYYYYY|ANL1')
  const empty = await sc.say(at['info']?.() as Said)
  t.equal(shown(empty), `64              00120260201    100000${'0000'.repeat(6)} AOMAIN|AA${ann}|AE张安|` +
    'BLY|CQY|BZ0005|CB0003|BHCNY|BV0.00|CC5.00')
  const ask = async (said: Said): Promise<string> => shown(await sc.say(said))
  const nobody: Field[] = [['AO', 'MAIN'], ['AA', 'nobody'], ['AC', ''], ['AD', '']]
  t.equal(await ask(say('23', { language: '019', date }, nobody)),
    '24YYYY          01920260201    100000 AOMAIN|AAnobody|AE|BLN|CQN|BHCNY|BV0.00|AF该卡未在本馆注册')
  t.equal(await ask(at['checkout']?.([['AB', 'one']]) as Said),
    `121NUY20260201    100000 AOMAIN|AA${ann}|ABone|AJone号书|AH2026-03-03`)
  t.match(await ask(say('17', { date }, [['AO', 'MAIN'], ['AB', 'one']])),
    /^18040004.*CF0\|AH2026-03-03\|ABone/)
  const ofBen: Field[] = [['AO', 'MAIN'], ['AA', ben], ['AB', 'one']]
  t.match(await ask(say('15', { mode: '+', date }, ofBen)), /^161N.*BR1\|/)
  t.match(await ask(say('15', { mode: '*', date }, ofBen)), /^160N/)
  door.clock.advance(day)
  t.match(await ask(say('29', { thirdParty: 'N', noBlock: 'N', date, nbDueDate: date },
    [...who, ['AB', 'one']])), /^300NUN.*AF该书已被他人预约/)
  t.match(await ask(at['checkin']?.([['AB', 'one']]) as Said), /^101YUY.*AJone号书\|AA/)
  t.match(await ask(at['checkin']?.([['AB', 'one']]) as Said), /^100NUY.*AF该书未借出/)
  await sc.say(at['checkout']?.([['AB', 'two']]) as Said)
  door.clock.advance(day)
  t.match(await ask(say('65', { date }, who)), /^66100010000.*BMtwo/)
  t.match(await ask(say('29', { thirdParty: 'N', noBlock: 'N', date, nbDueDate: date },
    [...who, ['AB', 'two']])), /^300N.*已达最大续借次数/)
  t.match(await ask(say('19', { date }, [['AB', 'two'], ['CH', 'a page is torn']])), /^201.*CHa page is torn/)
  t.match(await ask(say('19', { date }, [['AB', 'unheard']])), /^200.*馆藏不存在/)
  t.match(await ask(say('01', { retained: 'Y', date },
    [['AO', 'MAIN'], ['AL', 'left'], ['AA', ann], ['AC', '']])), /^24YYYY/)
  t.match(await ask(say('25', { date }, who)), /^26 {14}.*BLY\|CQN/)
  t.match(await ask(at['info']?.([['AO', 'MAIN'], ['AA', ann], ['AD', '0000']]) as Said), /BLY\|CQN/)
  t.match(await ask(say('35', { date }, who)), /^36Y/)
  await door.close()
})

t.test('a payment: once whatever is lost and repeated; no debit without a yes', async t => {
  const door = await opened()
  const lose = { answers: 0, away: false }
  const port = await served(t, faceOf(speaks, houseOf(door, lose)))
  const { sc, fee } = await fined(t, door, port)
  const list = await sc.say(at['info']?.() as Said)
  t.strictSame(valuesOf(list, 'AV'), [`${fee} 3.50 one号书`])
  const paid: Field[] = [['CG', fee], ['BK', 'BK-0001']]
  t.match(shown(await sc.say(paying('3.51', [['CG', fee], ['BK', 'BK-0000']]))),
    /^38N.*BKBK-0000\|AF金额超过应缴费用/)
  t.equal(await pendingOf(door, 'LIB'), 0)

  lose.answers = 1_000 // the ledger books, and nobody hears of it
  sc.raw(Buffer.from(`37${date}0402CNYBV3.50|AOMAIN|AA${ann}|AC|AD|CG${fee}|BKBK-0001|\r`))
  t.equal(await silence(sc), 'silence', 'unknown is neither yes nor no')
  t.equal(await pendingOf(door, 'LIB'), 350, 'it was carried out')
  lose.answers = 0
  lose.away = true
  const other = await terminal(t, port)
  t.equal((await other.say(login())).fixed['ok'], '1')
  t.match(shown(await other.say(at['status']?.() as Said)), /^98NNNNNY/, 'offline')
  t.match(shown(await other.say(at['info']?.() as Said)), /^64YYYY.*BLN\|CQN\|AFNot available now/)
  lose.away = false
  t.match(shown(await other.say(paying('3.50', paid))), /^38Y.*BKBK-0001/, 'the same again, from anywhere')
  t.match(shown(await other.say(paying('3.50', paid))), /^38Y/)
  t.match(shown(await other.say(paying('3.00', paid))), /^38N.*AF交易号已使用/)
  t.equal(await pendingOf(door, 'LIB'), 350, 'once')

  for (const [said, words] of [
    [paying('1.00', [['BK', 'BK-0002']]), '金额超过应缴费用'], [paying('free', [['BK', 'BK-0003']]), '金额错误'],
    [paying('1.00', [['BK', 'BK-0004']], { currency: 'USD' }), '币种不支持'],
    [paying('1.00', [['BK', 'BK-0005']], { paymentType: '77' }), '此处不能办理'],
    [paying('1.00', [['CG', 'fee'], ['BK', 'BK-0006']]), '没有该笔费用']
  ] as const) t.match(shown(await other.say(said)), new RegExp(`^38N.*AF${words}`))
  t.equal(await pendingOf(door, 'LIB'), 350)
  await door.close()
})

t.test('a payment without a transaction id is named by what it says', async t => {
  const door = await opened()
  const port = await served(t, faceOf(speaks, houseOf(door)))
  const { sc, fee } = await fined(t, door, port)
  const first = await sc.say(paying('1.50', [['CG', fee]]))
  t.match(shown(first), /^38Y.*BKD-[0-9a-f]{24}\|/)
  t.equal(valueOf(await sc.say(paying('1.50', [['CG', fee]])), 'BK'), valueOf(first, 'BK'))
  t.equal(await pendingOf(door, 'LIB'), 150)
  t.match(shown(await sc.say(paying('2.00', [['CG', fee]], { date: '20260407    110000' }))), /^38Y/)
  t.equal(await pendingOf(door, 'LIB'), 350)
  await door.close()
})

t.test('sequence and resend, byte by byte', async t => {
  const door = await opened()
  const face = await faceOf(speaks, houseOf(door))
  const port = await served(t, face)
  const sc = await terminal(t, port)
  const answerTo = async (bytes: string): Promise<string> => {
    sc.raw(bytes)
    return String(await sc.line())
  }
  t.equal(await answerTo('97\r'), '96', 'nothing was said yet')
  t.equal(await answerTo('97AZFEF5\r'), '96AZFEF6')
  t.equal(await answerTo('97\r'), '96AZFEF6', 'it stays on until a message that could have it has not')
  const right = '9300CNsc-1|COopen sesame|AY4AZ'
  const sum = (text: string): string =>
    (0x1_0000 - Buffer.from(text).reduce((all, byte) => all + byte, 0)).toString(16).toUpperCase()
  t.equal(await answerTo(`${right}0000\r`), '96AZFEF6', 'wrong checksum')
  // 57 + 52 + 49 + 65 + 89 + 52 + 65 + 90 = 519 = 0x207
  t.equal(await answerTo(`\x02  ${right}${sum(right)}\r\n`), '941AY4AZFDF9')
  t.equal(await answerTo('97AZFEF5\r'), '941AY4AZFDF9', 'the last answer, byte for byte')
  t.equal(await answerTo(right + sum(right) + '\r'), '941AY4AZFDF9', 'the same message, the same answer')
  t.equal(await answerTo(right + sum(right) + '\r'), '941AY4AZFDF9', 'and again')
  t.equal(await answerTo('88what\r'), '96AZFEF6', 'unknown')
  t.equal(await answerTo('941\r'), '96AZFEF6', 'an answer is no question')
  t.match(await answerTo('9900802.00\r'), /^98YYYYYY.*\|$/, 'without detection: off')
  t.equal(await answerTo('88what\r'), '96')
  sc.raw('9900802.00\r\n9900802.00\r97\r')
  const three = [await sc.line(), await sc.line(), await sc.line()].map(String)
  t.match(three, [/^98/, /^98/, /^98/], 'glued: one after the other')
  t.equal(three[1], three[2])
  t.ok(sc.heard().includes('\r') && !sc.heard().includes('\n'), 'CR alone unless it is asked for')
  t.match(face.view().counts, { messages: 15, resends: 3 })
  await door.close()
})

t.test('signing in: tries, time, telnet, silence, line ends', async t => {
  const door = await opened()
  const logins = [...speaks.logins ?? [], { user: 'sc-9', password: 'nine', terminal: 'L9' }]
  const wrong = await faceOf({ ...speaks, loginTries: 2, logins }, houseOf(door))
  const port = await served(t, wrong)
  const sc = await terminal(t, port, { detection: false })
  t.equal((await sc.say(at['info']?.() as Said)).fixed['language'], '001')
  t.match(shown(await sc.say(at['info']?.() as Said)), /AFThis is not possible here/, 'who has not signed in')
  t.equal((await sc.say(login('sc-1', 'wrong'))).fixed['ok'], '0')
  t.equal((await sc.say(login('sc-9', 'nine'))).fixed['ok'], '0', 'its terminal is not enrolled')
  await sc.ended
  const late = await terminal(t, await served(t, faceOf({ ...speaks, loginSeconds: 0.2 }, houseOf(door))))
  await late.ended
  const idle = await terminal(t, await served(t, faceOf({ ...speaks, idleSeconds: 0.3, lineEnd: 'crlf' },
    houseOf(door))))
  t.equal((await idle.say(login())).fixed['ok'], '1')
  t.ok(idle.heard().toString().endsWith('\r\n'))
  await idle.ended

  const telnet = await terminal(t, await served(t, faceOf({ ...speaks, login: 'prompt' }, houseOf(door))),
    { detection: false })
  telnet.raw('sc-1\rwrong\r\nsc-1\r\nopen sesame\r\n')
  t.equal(String(await telnet.line()), 'login: Password: Login failed.')
  t.equal(String(await telnet.line()), 'login: Password: Login OK.')
  t.match(shown(await telnet.say(at['status']?.() as Said)), /^98Y/)
  const guesser = await terminal(t, await served(t, faceOf({ ...speaks, login: 'prompt' }, houseOf(door))))
  guesser.raw('a\rb\ra\rb\ra\rb\r')
  await guesser.ended
  await door.close()
})

/** A line of a self-check with its digit and its checksum, added up here. */
const summed = (words: string, digit: number): string => {
  const line = `${words}AY${digit}AZ`
  const sum = Buffer.from(line).reduce((all, byte) => all + byte, 0)
  return `${line}${(0x1_0000 - sum % 0x1_0000).toString(16).toUpperCase()}\r`
}
const answerOf = async (sc: SelfCheck, line: string): Promise<string> => {
  sc.raw(line)
  return String(await sc.line())
}

t.test('recorded frames: not without a sign-in, never money twice, not another day', async t => {
  const door = await opened()
  const logins = ['sc-1', 'sc-2'].map((user, index) =>
    ({ user, password: `word of ${user}`, terminal: `L${index + 1}` }))
  const port = await served(t, faceOf({ ...speaks, logins, staleMinutes: 10 }, houseOf(door)))
  const signIn = (user: string) => `9300CN${user}|COword of ${user}|`
  const reader = `AOMAIN|AA${ann}|AC|AD2580|`
  const sc = await terminal(t, port)
  t.equal((await answerOf(sc, summed(signIn('sc-1'), 0))).slice(0, 3), '941')
  const checkout = summed(`11YN${date}${date}${reader}ABone|`, 1)
  t.match(await answerOf(sc, checkout), /^121NUY/)
  door.clock.advance(65 * day)
  const late = '20260407    100000'
  const back = await answerOf(sc, summed(`09N${late}${late}AOMAIN|ABone|`, 2))
  const [, fee = ''] = /^101YUY.*AF(F\d+) 3\.50/.exec(back) ?? []
  const paid = summed(`37${late}0402CNYBV3.50|${reader}CG${fee}|BKBK-0001|`, 3)
  t.match(await answerOf(sc, paid), /^38Y.*BKBK-0001/)
  t.equal(await pendingOf(door, 'LIB'), 350)
  const recorded = [checkout, paid, summed(`63001${late}          ${reader}`, 4)]

  const stranger = await terminal(t, port)
  for (const line of recorded) {
    t.match(await answerOf(stranger, line), /^(120NUN|38N|64YYYY).*AF(This is not possible here|此处不能办理)/)
  }
  const other = await terminal(t, port)
  t.equal((await answerOf(other, summed(signIn('sc-2'), 0))).slice(0, 3), '941')
  t.match(await answerOf(other, paid), /^38Y.*BKBK-0001/, 'the first answer again')
  t.equal(await pendingOf(door, 'LIB'), 350, 'once')
  t.match(await answerOf(other, summed(`37${late}0402CNYBV0.50|${reader}BKBK-0001|`, 5)), /^38N.*交易号已使用/)
  t.match(await answerOf(other, checkout), /^120NUN.*AF报文时间不符/, 'said 65 days ago')
  for (const [said, answer] of [
    [`11YN${late}${late}${reader}ABone|`, /^121NUY/], [`29NN${date}${late}${reader}ABone|`, /^300.*报文时间不符/],
    [`09N${date}${late}AOMAIN|ABone|`, /^100.*报文时间不符/],
    [`01Y${date}AOMAIN|AL|AA${ann}|AC|`, /^24YYYY.*报文时间不符/],
    [`15+${date}AOMAIN|AA${ben}|ABone|`, /^160.*报文时间不符/], [`65${date}${reader}`, /^660.*报文时间不符/],
    [`11YN${' '.repeat(18)}${late}${reader}ABtwo|`, /^120.*报文时间不符/],
    [`17${date}AOMAIN|ABone|`, /^18/], [`35${date}${reader}`, /^36Y/]
  ] as const) t.match(await answerOf(other, summed(said, 6)), answer)
  const ahead = '20260407    101001'
  const early = await answerOf(other, summed(`11YN${ahead}${ahead}${reader}ABtwo|`, 7))
  t.match(early, /^120.*报文时间不符/, 'of a time to come')
  door.clock.advance(10 * 60_000)
  t.match(await answerOf(other, summed(`11YN${late}${late}${reader}ABtwo|`, 8)), /^121NUY/, 'ten minutes late')
  door.clock.advance(1_000)
  const over = await answerOf(other, summed(`09N${late}${late}AOMAIN|ABtwo|`, 9))
  t.match(over, /^100.*报文时间不符/, 'and a second')
  await door.close()
})

t.test('a terminal that may not be served, signed in or not; no way down from checksums', async t => {
  const door = await opened()
  let why: string | null = 'terminal LIB/L1 is not enrolled here'
  const heard: string[] = []
  const house = houseOf(door)
  const terminals = {
    ...house.terminals, heard: ({ terminal }: { terminal: string }) => { heard.push(terminal) },
    find: () => why === null ? { ok: true } : { ok: false, why }
  }
  const own = { ...house, terminals } as unknown as PortHouse
  const open = await faceOf({ ...speaks, login: 'none', terminal: 'L1' }, own)
  const without = await terminal(t, await served(t, open))
  t.match(shown(await without.say(at['info']?.() as Said)), /^64YYYY.*AFThis is not possible here/)
  t.match(shown(await without.say(at['status']?.() as Said)), /^98NNNNNY/)
  t.same(heard, [], 'nobody heard it')
  why = null
  t.match(shown(await without.say(at['info']?.() as Said)), /^64 .*BLY/)
  const signed = await terminal(t, await served(t, faceOf(speaks, own)))
  t.equal((await signed.say(login())).fixed['ok'], '1')
  t.match(shown(await signed.say(at['info']?.() as Said)), /^64 .*BLY/)
  why = 'terminal LIB/L1 is suspended'
  for (const sc of [without, signed]) {
    t.match(shown(await sc.say(at['info']?.() as Said)), /^64YYYY.*AFThis is not possible here/, 'stopped meanwhile')
  }
  why = null
  t.match(shown(await signed.say(at['info']?.() as Said)), /^64 .*BLY/, 'and let in again')

  const strict = await faceOf({ ...speaks, detection: 'required' }, houseOf(door))
  const careful = await terminal(t, await served(t, strict))
  t.equal(await answerOf(careful, '9300CNsc-1|COopen sesame|\r'), '96', 'asked for again, not signed in')
  t.match(await answerOf(careful, summed('9300CNsc-1|COopen sesame|', 1)), /^941AY1/)
  t.match(await answerOf(careful, summed(`63001${date}          AOMAIN|AA${ann}|`, 2)), /^64 .*AY2/)
  t.equal(await answerOf(careful, `63001${date}          AOMAIN|AA${ann}|\r`), '96AZFEF6', 'no way down')
  t.match(await answerOf(careful, summed('9900801.00', 3)), /^98YYYYYY.*2\.00.*AY3/, 'an older version, with checksum')
  t.match(strict.view().counts, { errors: 2 })
  await door.close()
})

t.test('GBK on the wire', async t => {
  const door = await opened()
  const port = await served(t, faceOf({ ...speaks, codePage: 'gbk' }, houseOf(door)))
  const sc = await terminal(t, port, { codePage: 'gbk' })
  await sc.say(login())
  t.equal(valueOf(await sc.say(at['info']?.() as Said), 'AE'), '张安')
  t.ok(sc.heard().includes(Buffer.from('d5c5b0b2', 'hex')), '张 53-37, 安 16-18 of GB 2312')
  await door.close()
})

t.test('on a serial line', (reason => reason === null ? {} : { skip: reason })(whyNoPty()), async t => {
  const door = await opened()
  const dir = mkdtempSync(join(tmpdir(), 'sip2-'))
  const pair = await openPtyPair(dir, 'line')
  const face = await faceOf({ ...speaks, login: 'none', terminal: 'L1' }, houseOf(door))
  const port = await openSerialPort({
    port: 'SC-S', device: { path: pair.near, baudRate: 9_600 }, begin: face.begin, random: () => 0.5,
    log: createLog('sip2', { level: 'silent' })
  })
  const device = openDevice(pair.far)
  const ask = `63001${date}          AOMAIN|AA${ann}|AC|AD|AY7AZ`
  const sum = (0x1_0000 - Buffer.from(ask).reduce((all, byte) => all + byte, 0)).toString(16).toUpperCase()
  for (const byte of Buffer.from(`\0\0${ask}${sum}\r`)) await device.write(Uint8Array.of(byte))
  let got = ''
  for (let part = await device.read(30_000); part !== null && !got.endsWith('\r');) {
    got += Buffer.from(part).toString()
    if (!got.endsWith('\r')) part = await device.read(30_000)
  }
  t.match(got, /^64 {14}001.*AE张安\|BLY\|CQN\|.*AY7AZ[0-9A-F]{4}\r$/)
  device.close()
  await port.close()
  await face.close()
  await pair.unplug()
  rmSync(dir, { recursive: true, force: true })
  await door.close()
})

t.test('a library with a system of its own: its data stays there, our money moves', async t => {
  const door = await opened()
  // It knows the fees and moves nothing.
  const system = await faceOf({ ...speaks, payments: { '02': 'cash' } }, houseOf(door))
  const systemPort = await served(t, system)
  const lose = { answers: 0, away: false }
  const ils = {
    host: '127.0.0.1', port: systemPort, user: 'sc-1', password: 'open sesame', answerSeconds: 3,
    issuer: cardOf(0).issuer
  }
  const port = await served(t, faceOf({ ...speaks, library: 'ILS', ils }, houseOf(door, lose)))
  const { sc, fee } = await fined(t, door, port)
  t.match(shown(await sc.say(at['status']?.() as Said)), /^98Y/)
  t.match(shown(await sc.say(paying('3.00', [['CG', fee], ['BK', 'BK-0001']]))), /^38Y.*BKBK-0001/)
  t.equal(await pendingOf(door, 'ILS'), 300)
  t.equal(await pendingOf(door, 'LIB'), 0)
  t.match(shown(await sc.say(paying('1.00', [['CG', fee], ['BK', 'BK-0002']]))), /^38N.*金额超过/)
  t.equal(await pendingOf(door, 'ILS'), 300, 'N returns the debit')
  lose.answers = 1_000
  sc.raw(`37${date}0402CNYBV0.50|AOMAIN|AA${ann}|AC|AD|CG${fee}|BKBK-0003|\r`)
  t.equal(await silence(sc), 'silence')
  lose.answers = 0
  const other = await terminal(t, port)
  await other.say(login())
  t.match(shown(await other.say(paying('0.50', [['CG', fee], ['BK', 'BK-0003']]))), /^38Y/)
  t.match(shown(await other.say(paying('0.50', [['CG', fee], ['BK', 'BK-0003']], { feeType: '01' }))), /^38Y/)
  t.equal(await pendingOf(door, 'ILS'), 350, 'once')
  await system.close()
  await door.close()
})

t.test('whatever bytes come, the face answers or says nothing, and goes on', async t => {
  const door = await opened()
  const face = await faceOf({ ...speaks, login: 'none' }, { ...houseOf(door, { answers: 0, away: true }) })
  const message = fc.constantFrom(...[
    '97AZFEF5\r', '9300CNterm1|COterm1|CPThe floor|AY1AZF36F\r', '9900802.00\r', '63\r'
  ].map(one => Buffer.from(one)))
  const noise = fc.array(fc.oneof(fc.uint8Array({ maxLength: 40 }), message), { maxLength: 6 })
  await fc.assert(fc.asyncProperty(noise, async pieces => {
    const answers: Uint8Array[] = []
    const write = async (bytes: Uint8Array) => { answers.push(bytes) }
    const wire: Wire = { name: 'noise', certificate: null, write, end: () => undefined }
    const talk = face.begin(wire)
    for (const piece of pieces) talk.bytes(piece)
    talk.bytes(Buffer.from('\r97AZFEF5\r'))
    for (let turn = 0; turn < 200 && answers.length === 0; turn++) await new Promise(setImmediate)
    talk.ended('over')
    return answers.length > 0
  }), { numRuns: 300 })
  await face.close()
  await door.close()
})
