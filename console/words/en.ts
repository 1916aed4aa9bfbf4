// All words of the console in English.
import { enCards } from './en-cards.ts'
import { enOffice } from './en-office.ts'
import type { Words } from './zh.ts'

export const en: Words = {
  ...enCards,
  ...enOffice,
  title: 'Citizen Card console',
  skip: 'Skip to content',
  menu: 'Main menu',
  loading: 'Loading',
  nothing: 'Nothing here',
  again: 'Load again',
  previous: 'Previous page',
  next: 'Next page',
  all: 'All',
  cancel: 'Cancel',
  print: 'Print / PDF',
  onePage: 'One page of this table: CSV and XLSX have all of it.',
  find: 'Find',
  none: 'none',
  colon: ': ',
  pages: {
    days: 'Day close', positions: 'Clearing and nets', exceptions: 'Exceptions', approvals: 'Four eyes',
    cards: 'Cards', calls: 'Call centre', cases: 'Residents', supervision: 'Supervision',
    disputes: 'Disputes', alerts: 'Alerts',
    reconciliation: 'Reconciliation A–I', bank: 'Bank', terminals: 'Terminals', tariffs: 'Tariffs',
    audit: 'Audit log',
    exports: 'Exports', tapes: 'Tapes'
  },
  signIn: {
    heading: 'Sign in', name: 'Name', password: 'Password', go: 'Sign in', out: 'Sign out',
    over: 'The session is over: sign in again.', change: 'Choose a password', old: 'Present password',
    wanted: 'New password', save: 'Save', provider: 'Sign in with the identity of the city',
    why: 'Somebody else chose the password: choose one of your own first.'
  },
  problem: {
    heading: 'That did not work', away: 'The server cannot be reached; try again later.',
    says: 'The system says'
  },
  roles: {
    registrar: 'registrar', clerk: 'clerk', hotline: 'hotline', settler: 'settler', approver: 'approver',
    auditor: 'auditor', admin: 'administrator', viewer: 'viewer', handler: 'handler'
  },
  day: {
    heading: date => `Day close: ${date}`,
    state: 'State', valueDate: 'Value date', stages: 'Stages', blockers: 'Blockers',
    noBlockers: 'Nothing blocks it',
    clear: 'In order: nothing blocks it', waits: count => `Blocked by ${count}`, running: 'Open for business',
    checks: 'Checks', check: 'Check', result: 'Result', detail: 'Detail', at: 'Time', by: 'By',
    passed: 'passed', failed: 'failed', approvals: 'Approved by', nobody: 'nobody yet', netSum: 'Sum of nets',
    override: 'Float override', days: 'Clearing days', date: 'Date', approvers: 'Approvers',
    notYet: 'not yet',
    close: 'Close the day', approve: 'Approve the nets', instruct: 'Make payment instructions',
    positions: 'Look at the nets',
    sure: {
      close: 'Cuts, verifies and clears this day. Its nets do not change afterwards.',
      approve: 'I have looked at the nets of all parties and agree that they are paid as digested below.',
      instruct: 'Makes payment instructions of the nets that were approved.'
    },
    digest: 'Digest of the nets',
    states: {
      OPEN: 'Open', CUT: 'Cut', VERIFIED: 'Verified', CLEARED: 'Cleared', APPROVED: 'Approved',
      INSTRUCTED: 'Instructed', CONFIRMED: 'Confirmed'
    }
  },
  positions: {
    heading: date => `Clearing and nets: ${date}`, party: 'Party', book: 'Book', claims: 'Claims',
    commission: 'Commission',
    loads: 'Loads taken', loadCommission: 'Load comm.', adjustments: 'Adjustments', net: 'Net', sum: 'Sum',
    carried: 'Carried over from earlier dates',
    chart: 'Net of each party', pays: 'pays', receives: 'receives', instructions: 'Payment instructions',
    instruction: 'Instruction', direction: 'Direction', amount: 'Amount', state: 'State', account: 'Account',
    pay: 'pay',
    collect: 'collect',
    states: { sent: 'sent', confirmed: 'confirmed', returned: 'returned', void: 'void' },
    books: {
      commerce: 'Commerce', medical: 'Medical', library: 'Library', campus: 'Campus', treasury: 'Treasury'
    },
    batchKinds: {
      records: 'Records', registry: 'Registry', correction: 'Correction', clearing: 'Clearing',
      settlement: 'Settlement', requests: 'Online requests', bank: 'Bank', notes: 'Notes of services'
    }
  },
  trace: {
    batches: (party, date) => `Batches of ${party} on ${date}`, batch: 'Batch', kind: 'Kind', at: 'Time',
    delivery: 'Delivery',
    transfers: 'Transfers', lines: batch => `Transfers of batch ${batch}`, transfer: 'Transfer',
    debit: 'Debit',
    credit: 'Credit', amount: 'Amount', card: 'Card', line: 'Raw record', eventAt: 'Event time',
    raw: (line, delivery) => `Raw record: line ${line} of ${delivery}`, root: 'Merkle root', digest: 'Digest',
    source: 'Source',
    receivedAt: 'Received', verdict: 'Verdict', bytes: 'Raw bytes', ruler: 'Field ruler', field: 'Field',
    offset: 'Offset',
    length: 'Length', value: 'Value', means: 'Means', chain: 'Card chain', moved: 'Money it moved',
    hex: 'Hexadecimal',
    corrects: 'Corrects', counter: 'Counter', before: 'Before', after: 'After', gap: 'Gap',
    missing: (from, to) => `${from}–${to} missing`, none: 'it moved no money', parts: 'In the net',
    chainOf: card => `Card chain: ${card}`
  },
  items: {
    heading: 'Exceptions', item: 'Number', layer: 'Layer', outcome: 'Difference', about: 'About',
    party: 'Party',
    amount: 'Off by', age: 'Age', days: count => `${count} d`, owner: 'Owner', nobody: 'nobody', note: 'Note',
    state: 'State',
    open: 'open', closed: 'closed', evidence: 'Evidence', proposal: 'Proposed posting', take: 'Take',
    release: 'Let go',
    write: 'Write a note', close: 'Close', reason: 'Reason (10 characters or more)',
    chosen: count => `${count} chosen`,
    views: 'Saved views', save: 'Save view', viewName: 'Name of the view', template: 'Reason template',
    mine: 'mine',
    olderThan: 'Open for days, at least', view: 'Exception', resolution: 'How it was closed',
    choose: item => `Choose exception ${item}`, propose: 'Propose the posting', drop: 'Delete view',
    templates: [
      'Arrived in the file of the next day; cleared itself',
      'Checked with the operator: their record was wrong',
      'Records agree after the terminal delivered late; no posting'
    ],
    outcomes: {
      LEFT_ONLY: 'ours only', RIGHT_ONLY: 'theirs only', AMOUNT_DIFF: 'amount differs',
      STATE_DIFF: 'state differs',
      DATE_DIFF: 'date differs', DUPLICATE: 'duplicate', MATCHED: 'matched'
    }
  },
  approvals: {
    heading: 'Four eyes', pending: 'Waiting', id: 'Number', kind: 'Kind', subject: 'About', reason: 'Reason',
    by: 'Started by',
    at: 'Started', state: 'State', needed: 'Approved', approve: 'Approve', refuse: 'Refuse',
    withdraw: 'Withdraw',
    content: 'Content', looked: 'What the starter saw', decisions: 'Decisions', note: 'Note',
    own: 'What you started is decided by others', show: 'Look', of: (have, need) => `${have} of ${need}`,
    approved: 'approved',
    refused: 'refused', what: id => `Proposal ${id}`, outcome: 'Outcome', days: 'Clearing days that wait',
    states: { pending: 'waiting', done: 'done', refused: 'refused', stale: 'stale', withdrawn: 'withdrawn' }
  },
  reconciliation: {
    heading: 'Reconciliation A–I', layer: 'Layer', latest: 'Latest', trend: 'Trend', unmatched: 'Unmatched',
    run: 'Reconcile again',
    chart: 'Unmatched by day', matched: 'matched', off: 'differs', never: 'not run',
    table: 'Day by day',
    sure: 'Runs all layers of this clearing date again.',
    float: 'Float', book: 'Book', held: 'Held', transit: 'In transit', holders: 'Owed to holders',
    partiesOwed: 'Owed to parties',
    own: 'Own', offBy: 'Off by',
    layers: {
      A: 'Terminal batch', B: 'PSAM sequence', C: 'File', D: 'Ledger', E: 'Card chain', F: 'Settlement',
      G: 'Bank',
      H: 'Medical', I: 'Float'
    }
  },
  bank: {
    heading: 'Bank', statements: 'Statements', statement: 'Statement', account: 'Account', from: 'From',
    to: 'To',
    opening: 'Opening', closing: 'Closing', lines: 'Lines', received: 'Received', by: 'By',
    bookedOn: 'Booked on',
    amount: 'Amount', state: 'Taken for', party: 'Party', instruction: 'Instruction',
    counterparty: 'Counterparty', text: 'Text',
    upload: 'Take in a statement', file: 'Statement file (camt.053 XML or CSV)', send: 'Take in',
    done: 'Taken in',
    replayed: 'This statement was known; nothing was changed', confirmed: 'Clearing days it confirmed',
    breaks: 'Breaks',
    reference: 'Reference', only: 'Show', tooLarge: 'The file is larger than 64 MiB',
    states: {
      confirmed: 'confirmed', returned: 'returned', paid_in: 'paid in', unidentified: 'unidentified',
      attributed: 'attributed',
      repeated: 'repeated'
    }
  },
  terminals: {
    heading: 'Terminals', operator: 'Operator', terminal: 'Terminal', name: 'Name', place: 'Place',
    health: 'Health',
    state: 'Enrolment', heard: 'Heard', drift: 'Clock drift', firmware: 'Firmware',
    held: 'List / tariff version',
    events: 'Lasting events', never: 'never', gateways: 'Gateways', gateway: 'Gateway', reported: 'Reported',
    away: 'away',
    spool: 'Waiting', software: 'Software', present: 'present', availability: 'Intact, last 24 hours',
    handled: 'Handled in time',
    wanted: version => `wanted: ${version}`,
    map: 'Map', placed: (some, all) => `${some} of ${all} terminals have said where they are:`,
    cut: 'too many: a part is drawn', one: name => `Terminal ${name}`, kind: 'Kind', booted: 'Last start',
    boots: 'Starts', blacklist: 'Blacklist version', tariff: 'Tariff version', where: 'Coordinates',
    history: 'Events', found: 'Found', detail: 'Detail', lasts: 'lasts', cleared: 'cleared',
    dealtWith: 'dealt with', due: 'Due', by: 'Dealt with by', handle: 'Deal with',
    whatWasDone: 'What was done (4 characters or more)', all: 'All',
    healths: { intact: 'intact', down: 'down', unknown: 'unknown' },
    states: { registered: 'registered', enrolled: 'enrolled', suspended: 'suspended', retired: 'retired' }
  },
  audit: {
    heading: 'Audit log', seq: 'Row', at: 'Time', by: 'By', action: 'Action', subject: 'Subject',
    detail: 'Detail', hash: 'Hash',
    check: 'Check integrity', whole: rows => `Whole: ${rows} rows follow one another unbroken`,
    broken: 'The chain is broken',
    from: 'From', to: 'To'
  },
  exports: {
    heading: 'Exports', what: 'What', date: 'Clearing date', get: 'Download',
    why: 'Each export is written into the audit log with its number of rows; card numbers are masked.',
    kinds: {
      positions: 'Net positions', statements: 'Lines of statements', transfers: 'Transfers',
      records: 'Records', items: 'Exceptions',
      'card-chain': 'Card chain differences', supervision: 'Scores'
    },
    journal: 'Books (hledger journal)'
  }
}
