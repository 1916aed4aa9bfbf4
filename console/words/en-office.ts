// Words about those who answer residents in English.
import type { Words } from './zh.ts'

export const enOffice: Pick<Words, 'calls' | 'supervision' | 'statement' | 'tariffs' | 'tapes'> = {
  calls: {
    heading: 'Call centre', why: 'Say why first: each look-up is in the audit log with its reason.',
    reason: 'Reason', by: 'Find by',
    bys: { number: 'Card number (its last 6 digits at least)', document: 'Document', holder: 'Token' },
    document: 'Kind of document', documentNumber: 'Number of the document', look: 'Look up',
    another: 'Next call', none: 'There is no such card', many: 'Choose a card',
    lookAt: number => `Look at card ${number}`, person: 'Holder', nobody: 'anonymous or not registered',
    callBack: 'Call back at', online: 'Online account', uses: 'The last 30 uses', said: 'What happened',
    report: 'Report lost (at once)', reported: 'Reported lost.', cases: 'Requests and complaints',
    noCases: 'No holder is registered, so there are no requests', more: 'More about the card',
    documents: {
      resident_id: 'Identity card', passport: 'Passport', residence_permit: 'Residence permit',
      birth_certificate: 'Birth certificate'
    }
  },
  supervision: {
    heading: quarter => `Supervision: ${quarter}`, quarter: 'Quarter', score: 'Score of the quarter',
    office: 'Office', city: 'whole city', now: 'Deadlines now', open: 'Open', due: 'Due soon',
    yellow: 'Yellow', red: 'Red', cases: 'Due', inTime: 'In time', waiting: 'Not due yet', points: 'Score',
    grade: 'Grade', sum: 'Sum', urgent: 'Due soon or late',
    rule: (yellow, days, excellent, good, pass) =>
      `A case in time is worth 100 points, a yellow one ${yellow}, a red one (${days} working days late or ` +
      `more) none; the score is their mean. Excellent from ${excellent}, good from ${good}, pass from ` +
      `${pass}. These are parameters.`,
    grades: { excellent: 'excellent', good: 'good', pass: 'pass', fail: 'fail' }
  },
  statement: {
    open: 'Look at the statement', heading: (party, date) => `Statement: ${party}, ${date}`, line: 'Line',
    count: 'Records', amount: 'Amount', settled: 'To be settled, with what was carried over',
    sealed: 'Sealed batches', root: 'Merkle root', key: 'Key of the signature', at: 'Signed at'
  },
  tariffs: {
    heading: 'Tariffs', known: 'In force and to come', version: 'Version', from: 'From', services: 'Services',
    preview: 'What would a day have cost?',
    why: 'A day that is over by the tariffs in force and by another one; nothing is written.',
    source: 'Tariff', text: 'Pasted text', file: 'File', ofVersion: version => `Version ${version}`,
    ofProposal: id => `Proposal ${id} that waits`, document: 'Tariff document (JSON)', day: 'Transit day',
    go: 'Compute', notJson: 'This is not JSON', result: (version, day) => `${day} by version ${version}`,
    cards: count => `${count} cards were looked at.`, cut: 'More cards rode than are looked at: a part only.',
    operator: 'Operator', service: 'Service', line: 'Line', presentJourneys: 'Journeys',
    presentFen: 'In force', proposedJourneys: 'Journeys then', proposedFen: 'Then', difference: 'Difference',
    unpriced: 'Taps without a price', sum: 'Sum'
  },
  tapes: {
    heading: 'Tapes',
    why: 'Each record is judged again by the rules of today, beside what is posted. Nothing is booked; ' +
      'each look is in the audit log.',
    source: 'Source', text: 'Pasted text', file: 'File', name: 'Name',
    tape: 'Consumption file, records as JSON, or a tape of a POS line',
    operator: 'Operator, where the tape names no terminal', terminal: 'Terminal', go: 'Replay',
    result: name => `Result: ${name}`, records: 'Records', same: 'The same', differs: 'Differ',
    notPosted: 'Not posted', others: 'Other messages', only: 'Only what differs or is not posted',
    line: 'Line', card: 'Card (masked)', counter: 'Counter', at: 'Time', amount: 'Amount',
    predicted: 'Predicted', posted: 'Posted', first: said => `answered then: ${said}`, verdict: 'Compared',
    look: line => `Look at line ${line}`, chosen: line => `Line ${line}`, side: 'Side', kind: 'Kind',
    debit: 'Debit', credit: 'Credit', moves: 'Money', noMoves: 'No money moves',
    bytes: 'As it was said, numbers of cards masked',
    outcomes: { accepted: 'accepted', held: 'held', refused: 'refused', excluded: 'excluded' },
    verdicts: { same: 'same', differs: 'differs', not_posted: 'not posted' }
  }
}
