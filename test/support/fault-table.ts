// What may go wrong at the edge, and what comes of it: for the person at the reader, in the spool, in the
// books. docs/faults.md is this table; `npx tsx test/support/fault-table.ts > docs/faults.md` writes it.

/** What stands in the last three columns is what the test has seen, word by word, where it runs here. */
export type Fault = {
  readonly fault: string
  /** Reasons of the taps, in order; `schemas/gateway.ts` has their words. */
  readonly resident: string
  readonly spool: string
  readonly ledger: string
  /** Test files and titles; absent where test/faults.test.ts has a story of the same name. */
  readonly shown?: readonly (readonly [file: string, title: string])[]
}

const noRecord = 'nothing: a request is no record'
const pcsc = 'test/gateway-pcsc.test.ts'
const loads = 'test/gateway-loads.test.ts'

export const faults: readonly (readonly [part: string, rows: readonly Fault[]])[] = [
  ['The card', [
    {
      fault: 'the card leaves at any command, before or after the chip commits, four families of cards',
      resident: 'before the debit: card_removed or card_unreadable, then paid · at the debit: torn, then ' +
        'paid_before where the chip had paid, paid where it had not',
      spool: 'at the debit 1 grey; the return adds its whole record, or nothing',
      ledger: 'as often as the chip has paid',
      shown: [[pcsc, 'torn after every single command, every family, and back']]
    },
    {
      fault: 'the card leaves after the chip has paid, and comes back to a lane of another gateway',
      resident: 'torn, then paid there: a new fare',
      spool: '1 grey here, 1 whole there',
      ledger: 'both fares: the chip\'s next counter proves the grey one',
      shown: [['test/edge.test.ts', 'three gateways and one ledger']]
    },
    {
      fault: 'a card never answers, beside thirteen chips that do',
      resident: 'torn, then paid_before; the others paid, meanwhile and after',
      spool: '27 whole, 1 grey',
      ledger: '27 of 27 fares'
    }
  ]],
  ['Who holds a card', [
    {
      fault: 'a social-security card leaves at any command of its reading',
      resident: 'card_removed or card_unreadable, then identity_read',
      spool: 'nothing: an identity is no record',
      ledger: 'nothing',
      shown: [['test/clinic.test.ts', 'torn at every command, and back']]
    }
  ]],
  ['Value onto a card', [
    {
      fault: 'a card that wants its PIN leaves at VERIFY, or right behind it',
      resident: 'card_removed, then pin_wanted, and loaded once it is given again · card_removed, then ' +
        'loaded',
      spool: 'in the book of loads: nothing yet',
      ledger: 'once, as the chip holds it',
      shown: [[loads, 'a chip that wants its PIN, and how often it lets it be tried']]
    },
    {
      fault: 'the card leaves at any command of a load, before or after the chip commits',
      resident: 'before CREDIT: card_removed or card_unreadable, then loaded · at CREDIT: torn, then ' +
        'loaded_before where the chip had taken it, loaded where it had not',
      spool: 'in the book of loads: open until the card is back',
      ledger: 'once, as the chip holds it; open until then',
      shown: [[loads, 'torn at every command, before and after the chip commits, and back']]
    },
    {
      fault: 'the proof of a torn load is gone: the card has paid a fare elsewhere',
      resident: 'torn, paid there, then loaded_before or loaded: its online counter says which',
      spool: 'in the book of loads: open until the card is back',
      ledger: 'once, as the chip holds it',
      shown: [[loads, 'the proof is gone: the online counter decides']]
    },
    {
      fault: 'the gateway is killed at any point of a load',
      resident: 'the same order again: loaded, or loaded_before where the chip had taken it',
      spool: 'in the book of loads: withdrawn before CREDIT, open after it, told once it was known',
      ledger: 'once, as the chip holds it',
      shown: [[loads, 'kill -9 at every place, and the same order again']]
    },
    {
      fault: 'the ledger is gone at any point of a load',
      resident: 'before the grant ledger_unavailable, and nothing is written; after it loaded',
      spool: 'in the book of loads: a withdrawal, or the outcome, until the ledger has heard it',
      ledger: 'once, as the chip holds it',
      shown: [[loads, 'the ledger is gone at every point']]
    }
  ]],
  ['Cards on the list', [
    {
      fault: 'a listed card leaves at the command that blocks it, before or after its chip obeys',
      resident: 'before it obeys blacklisted, then card_blocked_now · ' +
        'after it obeys blacklisted, then card_locked',
      spool: '0 whole; in the book of blocks 2 open, 0 once they are back',
      ledger: '2 of 2 blocked, 1 open; 0 of 0 fares'
    },
    {
      fault: 'the ledger is gone at each of five points of signing a block, and of hearing of it',
      resident: 'card_blocked_now, then card_locked; ' +
        'at silence of signing blacklisted, then card_blocked_now',
      spool: '0 whole; in the book of blocks 0 in the end',
      ledger: '10 of 10 blocked, 1 open; 0 of 0 fares'
    },
    {
      fault: 'no ledger when a listed card comes',
      resident: 'blacklisted, then card_blocked_now',
      spool: '0 whole; in the book of blocks 0: nothing was sent to the chip',
      ledger: '1 of 1 blocked; 0 of 0 fares'
    },
    {
      fault: 'the gateway is killed before or after the command that blocks a listed card',
      resident: 'card_blocked_now where the chip had not obeyed, card_locked where it had',
      spool: 'in the book of blocks: open until the card is back',
      ledger: 'blocked; a command that came to nothing stays open',
      shown: [[loads, 'kill -9 at every place, and the same order again']]
    }
  ]],
  ['Readers and security modules', [
    {
      fault: 'pcscd is killed, in the middle of a tap, and comes back',
      resident: 'torn, then paid_before where the chip had paid; a card that lay there is not charged again',
      spool: '1 grey, and its whole record where the chip had paid',
      ledger: 'as often as the chip has paid',
      shown: [
        [pcsc, 'pcscd is killed underneath and comes back'],
        [pcsc, 'pcscd is killed underneath and comes back, its readers in the gateway itself']
      ]
    },
    {
      fault: 'chips hang on more readers than may: the process that holds them is ended',
      resident: 'torn, or not read at all; as after a torn card once the next process is up',
      spool: 'what is open, as after a kill',
      ledger: 'as often as the chips have paid',
      shown: [
        [pcsc, 'the process of the readers is killed, stopped and hung: taps are torn, nothing else is'],
        [pcsc, 'one lane alone holds its readers itself, and its process begins anew where a chip hangs']
      ]
    },
    {
      fault: 'the PSAM is pulled, silent, or another one than configured',
      resident: 'psam_unavailable; in the middle, after the debit: psam_lost, then paid_before',
      spool: 'after the debit its whole record',
      ledger: 'as often as the chip has paid',
      shown: [[pcsc, 'the PSAM: pulled before, pulled in the middle, another one put in']]
    },
    {
      fault: 'the PSAM is pulled, put back, and pulled again after the debit',
      resident: 'psam_unavailable, paid, psam_lost, paid_before',
      spool: '2 whole',
      ledger: '2 of 2 fares'
    }
  ]],
  ['Lines and sockets', [
    {
      fault: 'the cable of a till is pulled in the middle of a sale, and plugged in again',
      resident: 'nothing, then approved', spool: noRecord, ledger: '1 sales'
    },
    {
      fault: 'a till floods its line with NAKs and refuses every answer three times',
      resident: 'approved', spool: noRecord, ledger: '1 sales'
    },
    {
      fault: 'a till asks and reads nothing; another is served meanwhile',
      resident: 'nothing, then approved; beside it approved', spool: noRecord, ledger: '4 sales'
    },
    {
      fault: 'the cable of a card terminal is pulled behind its purchase; NAKs storm while it is served',
      resident: 'nothing, then 00 · 00',
      spool: noRecord,
      ledger: 'once',
      shown: [['test/gateway-iso8583.test.ts', 'a serial line: a day, a garbled frame']]
    },
    {
      fault: 'the cable of a self-check is pulled in the middle of a message and of a payment',
      resident: 'nothing, then Y',
      spool: noRecord,
      ledger: 'the payment once',
      shown: [['test/line-cuts.test.ts', 'SIP2: cut at every byte']]
    },
    {
      fault: 'the cable of a polled line is pulled in the middle of a record',
      resident: 'nothing: the card has paid before',
      spool: 'the record, before the terminal may forget it',
      ledger: 'each record once',
      shown: [['test/line-cuts.test.ts', 'a polled line: cut at every byte']]
    },
    {
      fault: 'a till vanishes without a word, its connection half open',
      resident: 'nothing, then approved', spool: noRecord, ledger: '1 sales'
    }
  ]],
  ['The way to the ledger', [
    {
      fault: 'the ledger is gone at each of five points of a sale on a POS line',
      resident: 'approved; silent until the deadline: unknown, then approved',
      spool: noRecord,
      ledger: '5 sales'
    },
    {
      fault: 'the ledger is gone at each of five points of a purchase in ISO 8583',
      resident: '00; silent until the deadline: 98',
      spool: noRecord,
      ledger: '4 sales'
    },
    {
      fault: 'the ledger is gone at each of five points of a payment in SIP2',
      resident: 'Y; silent until the deadline: nothing, then Y',
      spool: noRecord,
      ledger: '5 payments'
    },
    {
      fault: 'the ledger is gone before, inside or after a delivery, or silent: at each of five points',
      resident: 'paid',
      spool: '5 whole',
      ledger: '5 of 5 fares'
    },
    {
      fault: 'the ledger is gone before, inside or after a request, or silent: at each of five points',
      resident: 'approved; silent until the deadline: unknown, then approved',
      spool: noRecord,
      ledger: '5 requests, 5 transfers'
    },
    {
      fault: 'no ledger for six hours, a new tariff and a new blacklist begin meanwhile',
      resident: 'paid by the tariff of the hour; blacklisted as of the last list that came',
      spool: 'grows; then empties in the order of each terminal',
      ledger: 'every fare, in the order of the record numbers of each terminal',
      shown: [['test/edge.test.ts', 'six hours without the ledger']]
    },
    {
      fault: 'no ledger until the spool is full',
      resident: 'paid; at the limit spool_full; once the ledger is back, paid',
      spool: 'says high water at half, refusal at the limit, neither after the catch-up',
      ledger: 'every fare',
      shown: [['test/edge.test.ts', 'a spool that fills up']]
    },
    {
      fault: 'no ledger when the gateway starts',
      resident: 'paid, by what was kept; a gateway that never had a tariff: no_tariff',
      spool: 'grows; empties once the ledger is there',
      ledger: 'every fare',
      shown: [['test/edge.test.ts', 'started while the ledger is away']]
    },
    {
      fault: 'the ledger answers nonsense, blames a record, or refuses the batch',
      resident: 'nothing: the gate has opened long before',
      spool: 'the culprit is set aside with an alarm, the rest goes on',
      ledger: 'all but the culprit, which a redelivery brings again',
      shown: [['test/uplink.test.ts', 'a record that the ledger blames is found by halves and set aside']]
    }
  ]],
  ['The gateway and its disk', [
    {
      fault: 'kill -9 at each named place between intent and answer of the ledger',
      resident: 'the next tap: paid_before where the chip had paid and nothing told of it, else paid',
      spool: '1 grey where the outcome was open, none else',
      ledger: 'as often as the chip has paid',
      shown: [
        [pcsc, 'killed at every named place: the card and the records agree after the next start'],
        ['test/crash.test.ts', 'five kills and every named place']
      ]
    },
    {
      fault: 'kill -9 at each named place of a payment at a till, which asks again for the same bill',
      resident: 'where the debit was not sent paid, where nobody saw its end paid_before; behind it the ' +
        'till hears that it is paid, and the card no_charge',
      spool: '1 grey where the outcome was open, none else; the reference of the bill',
      ledger: 'the bill once, as the chip has paid',
      shown: [[pcsc, 'killed at every named place at a till: the same bill is debited once']]
    },
    {
      fault: 'kill -9 of gateway, ledger and PostgreSQL at random moments',
      resident: 'as above',
      spool: 'as above',
      ledger: 'counted by the auditor: each delivered record once',
      shown: [['test/crash.test.ts', 'five kills and every named place']]
    },
    {
      fault: 'the power goes at any byte that the spool writes',
      resident: 'the next tap, as after kill -9',
      spool: 'what was promised is there; a torn tail is cut off',
      ledger: 'as often as the chip has paid',
      shown: [['test/spool.test.ts', 'power cut at every byte of a busy minute']]
    },
    {
      fault: 'the power goes at any byte of a journal: what was taken back, loads, blocks, sessions',
      resident: 'the next request or the card that is back, as after kill -9',
      spool: 'the last state that was promised, or the next, which was being written',
      ledger: 'once: what it has not answered is told again, what it has is not',
      shown: [
        ['test/journal.test.ts', 'a journal: a beginning of what was told'],
        ['test/journal.test.ts', 'what a desk took back is asked for until it is answered'],
        ['test/journal.test.ts', 'loads: how far each one came'],
        ['test/journal.test.ts', 'blocks of cards: open until the chip was heard'],
        ['test/journal.test.ts', 'sessions of ISO 8583']
      ]
    },
    {
      fault: 'kill -9 at each named place of a sale and a record on a POS line, of a purchase in ISO 8583, ' +
        'of a fee at a library with a system of its own, of a record on a polled line',
      resident: 'nothing, then approved · stored · 00 where it was answered, else its money is back · ' +
        'Y or N, as the library says · nothing: the card has paid before',
      spool: 'the record, before its device may forget it; in the book of the port what was asked',
      ledger: 'once, or taken back',
      shown: [
        ['test/pos-line.test.ts', 'killed at any point: the sale is booked once'],
        ['test/gateway-iso8583.test.ts', 'kill -9 between question and answer'],
        ['test/library-system.test.ts', 'kill -9 at each place of a payment'],
        ['test/polled-line.test.ts', 'four terminals on one line, one silent and one mad; killed']
      ]
    },
    {
      fault: 'SIGTERM in the middle of a tap',
      resident: 'paid',
      spool: '1 whole',
      ledger: '1 of 1 fares'
    },
    {
      fault: 'SIGTERM in the middle of a load, of a purchase in ISO 8583, of a record on a polled line',
      resident: 'loaded · 00 · nothing: the card has paid before',
      spool: 'in the book of loads told · in the book of the port answered · each record once',
      ledger: 'once',
      shown: [
        [loads, 'SIGTERM in the middle of a load: it comes to its end'],
        ['test/graceful-stop.test.ts', 'ISO 8583: the answer that is awaited still comes'],
        ['test/graceful-stop.test.ts', 'a polled line: no record is lost or doubled by a stop']
      ]
    },
    {
      fault: 'kill -9 with the ledger away, and a start without it',
      resident: 'paid, paid',
      spool: '2 whole',
      ledger: '2 of 2 fares'
    },
    {
      fault: 'the disk fills up to its reserve, and is cleared',
      resident: 'paid, spool_full, paid',
      spool: '2 whole',
      ledger: '2 of 2 fares'
    },
    {
      fault: 'the disk takes no byte more, before the debit; the gateway ends and is started again',
      resident: 'paid, spool_failed, paid',
      spool: '2 whole',
      ledger: '2 of 2 fares'
    },
    {
      fault: 'the disk takes no byte more, after the debit; the gateway ends and is started again',
      resident: 'paid, record_failed, paid_before',
      spool: '2 whole, 1 grey',
      ledger: '2 of 2 fares'
    }
  ]],
  ['Other things on a full disk', [
    {
      fault: 'the disk takes no byte more, before or behind a purchase in ISO 8583; the gateway ends and ' +
        'is started again',
      resident: 'nothing, then 00 where the ledger was not asked, 98 where it was',
      spool: 'nothing: a request is no record; in the book of the port what was asked, and its reversal',
      ledger: 'once, or taken back',
      shown: [['test/disks.test.ts', 'ISO 8583, before the ledger is asked and behind it']]
    },
    {
      fault: 'the disk takes no byte more while a POS line asks; the gateway ends and is started again',
      resident: 'sale and void approved; a record spool_failed, then stored',
      spool: 'the record, once it is taken',
      ledger: 'each once',
      shown: [['test/disks.test.ts', 'a POS line: requests need no disk']]
    },
    {
      fault: 'the disk takes no byte more when a load is asked for; the gateway ends and is started again',
      resident: 'spool_failed, then loaded',
      spool: 'in the book of loads: nothing, then told',
      ledger: 'once, as the chip holds it',
      shown: [[loads, 'a disk that takes no byte more: the gateway ends']]
    },
    {
      fault: 'the disk of what was taken back, of loads, blocks, orders, sessions or fees of a library fails',
      resident: 'no answer, and no promise',
      spool: 'as it was; the gateway ends, and is started again',
      ledger: 'as after kill -9',
      shown: [['test/disks.test.ts', 'each journal tells of a disk that fails']]
    }
  ]],
  ['The clock', [
    {
      fault: 'the clock of the gateway is set back by an hour between two taps',
      resident: 'paid, paid',
      spool: '2 whole',
      ledger: '2 of 2 fares'
    },
    {
      fault: 'the clock of the gateway is lost: the year 2000, until it is set',
      resident: 'paid, card_not_started, paid',
      spool: '2 whole',
      ledger: '2 of 2 fares'
    }
  ]]
]

export function faultsPage (): string {
  const rowOf = ({ fault, resident, spool, ledger, shown }: Fault) => {
    const files = new Set((shown ?? [['test/faults.test.ts', '']]).map(([file]) => `\`${file}\``))
    return `| ${fault} | ${resident} | ${spool} | ${ledger} | ${[...files].join(', ')} |`
  }
  const parts = faults.map(([part, rows]) =>
    [`## ${part}`, '', ...head, ...rows.map(rowOf), ''].join('\n'))
  return [...words, ...parts].join('\n')
}

const words = [
  '# What may go wrong at the edge', '',
  'Each row is a test on real readers (pcscd), processes, files and sockets, most of them with the ledger on',
  'PostgreSQL. Nothing is lost, nothing is doubled: the chip\'s own balance is held against the books.', ''
]
const head = [
  '| what happens | the resident sees | the spool holds | the ledger books | shown by |',
  '|---|---|---|---|---|'
]

if (process.argv[1] === import.meta.filename) process.stdout.write(faultsPage())
