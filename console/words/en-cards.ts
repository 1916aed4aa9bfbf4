// Words about cards, disputes and alerts in English.
import type { Words } from './zh.ts'

export const enCards: Pick<Words, 'card' | 'cases' | 'disputes' | 'alerts'> = {
  card: {
    heading: 'Cards', one: number => `Card ${number}`, card: 'Number / issue',
    number: 'Number (its last 6 digits at least)', type: 'Type', state: 'State', normal: 'normal',
    listed: 'on the blacklist', listedFor: 'Listed for', issuer: 'Issuer / issue', branch: 'Branch',
    anyBranch: 'every branch', openedAt: 'Opened', validUntil: 'Chip valid until',
    unknownValidity: 'not registered', balance: 'On the chip, as of its last record',
    owed: 'Owed to the holder', pending: 'Waits for the chip', counter: 'Offline counter',
    openItems: 'Open items', more: 'More about the card', deeds: 'Deeds', notYet: 'not yet',
    counterAccount: 'Other account', requestedAt: 'Asked for', decidedAt: 'Ended', signed: 'Signed',
    form: 'Form', chipBlocks: 'Blocks on the chip', service: 'Line', journeyDay: 'Transit day',
    price: 'Price', because: 'Because', fareDays: 'Days that were paid otherwise than they were due',
    due: 'Due', paid: 'Paid', amountYuan: 'Amount (yuan)',
    proposed: 'Proposed: somebody else decides.',
    order: 'Order for the chip', orderGiven: 'Ordered: the chip does it on the next reader.', what: 'What',
    orderWhy: 'The ledger signs it, and the chip obeys when it lies on a reader next.',
    loss: 'Report lost', lossDone: 'On the blacklist; terminals get it with the next version.',
    lossAt: 'Reported at', lossWhy: 'Puts the card on the blacklist at once.',
    delist: 'Take off the list', delistWhy: 'Somebody else must agree.',
    refund: 'Refund', refunded: 'Given back: it is written to the chip at its next load.',
    refundWhy: counter => `Gives back of the use with counter ${counter}; above the limit others must agree.`,
    exit: 'Missing exit', stop: 'Stop where it ended', exitAt: 'Left at',
    exitWhy: 'The journey ended where its holder says; once approved the card is priced anew.',
    withdraw: 'Withdraw', withdrawWhy: 'What no chip has obeyed yet can be withdrawn.',
    pin: 'Show the new PIN', pinWhy: 'For its holder alone; every look is in the audit log.',
    tabs: {
      chain: 'Card chain', journeys: 'Journeys', statement: 'Statement', loads: 'Loads',
      orders: 'Orders and blocks', disputes: 'Disputes'
    },
    types: {
      anonymous: 'anonymous', named: 'named', student: 'student', senior: 'senior', staff: 'staff',
      test: 'test', 'social-security': 'social security', foreign: 'of another city'
    },
    reasons: {
      oral_loss: 'loss, told by word of mouth', loss: 'loss', fraud: 'fraud', cancelled: 'cancelled',
      death: 'death of its holder'
    },
    loads: { open: 'not known yet', written: 'written', not_written: 'not written', declined: 'declined' },
    sources: { agent: 'agent', pending: 'what waited' },
    orders: {
      unblock_application: 'Unblock the application', unblock_pin: 'New PIN',
      block_application: 'Block the application', block_card: 'Block the card',
      update_binary: 'Change a file', update_record: 'Change a record', write_key: 'Write a key',
      reload_pin: 'Reload the PIN'
    },
    told: { waiting: 'waiting', obeyed: 'obeyed', refused: 'refused by the chip', withdrawn: 'withdrawn' },
    forms: { temporary: 'temporary', permanent: 'permanent' },
    blocks: { open: 'not known yet', blocked: 'blocked', refused: 'refused by the chip' },
    uses: { claim: 'paid', grey: 'grey', contender: 'contender', stranger: 'stranger' },
    journeys: {
      complete: 'complete', open: 'exit is due', one_sided: 'exit is missing', corrected: 'corrected'
    }
  },
  disputes: {
    heading: 'Disputes', one: id => `Dispute ${id}`, open: id => `Dispute ${id}`, number: 'Number',
    state: 'State', side: 'Claimed by', operator: 'Operator', answerUntil: 'Answer until',
    escalateUntil: 'Escalate until', adjustedOn: 'Adjusted on', steps: 'What was said', by: 'By', at: 'Time',
    stance: 'Stance', words: 'Words (10 characters or more)', raise: 'Dispute',
    raised: 'The dispute is raised.',
    why: counter => `Disputes the use with counter ${counter}: the other side answers, then it is decided.`,
    answer: 'Answer', decide: 'Decide', escalate: 'Escalate', final: 'Propose the last word',
    finalWhy: 'Two people who have had no word in it have the last one.', noted: 'Noted.',
    sides: { holder: 'holder', operator: 'operator', issuer: 'issuer' },
    stances: { agrees: 'agrees', contests: 'contests', accepts: 'accepts', refuses: 'refuses' },
    states: {
      RAISED: 'raised', ANSWERED: 'answered', ACCEPTED: 'accepted', REFUSED: 'refused',
      ESCALATED: 'escalated', FINAL: 'over'
    }
  },
  cases: {
    heading: 'Residents', number: 'No.', kind: 'What', signal: 'Signal', dueOn: 'Answer by', state: 'State',
    words: 'In their words', filedAt: 'Filed', deeds: 'Deeds', which: 'Which', open: 'Open',
    urgent: 'Due soon or late', over: 'Over',
    agree: 'Agree', refuse: 'Refuse', answer: 'Answer',
    agreeWhy: 'A second person decides then; with that it is done.', body: 'What is asked for',
    agreed: 'It waits for a second person.', answered: 'Answered.', said: 'Answer (10 characters or more)',
    kinds: {
      missing_exit: 'Missing exit', refund: 'Refund', lift_loss: 'Loss report lifted', complaint: 'Complaint'
    },
    states: {
      filed: 'filed', deciding: 'being decided', granted: 'granted', refused: 'refused', answered: 'answered',
      withdrawn: 'taken back'
    },
    signals: { none: 'in time', due: 'due soon', yellow: 'yellow: overdue', red: 'red: long overdue' }
  },
  alerts: {
    heading: 'Alerts', at: 'Found', kind: 'Kind', about: 'About', evidence: 'First evidence',
    kinds: {
      psam_unknown: 'unknown PSAM', terminal_unknown: 'unknown terminal',
      psam_terminal_mismatch: 'PSAM of another terminal', merchant_mismatch: 'terminal of another operator',
      psam_stolen: 'stolen PSAM in use', clock_implausible: 'clock cannot be right',
      clock_drift: 'clock runs ahead', psam_regression: 'PSAM runs backwards',
      clone_suspicion: 'clone suspected', merchant_closed: 'records for a closed operator',
      account_reopened: 'closed account opened again', redress_void: 'refund taken back with its debit',
      unknown_load: 'chip holds more than was loaded', load_tac_wrong: 'TAC of a load is wrong',
      fraud_suspicion: 'many top-value debits', usage_over_limit: 'more used than may be',
      city_list_overdue: 'list of cities too old', gateway_away: 'gateway away',
      terminal_unhandled: 'terminal event not handled in time', fleet_below: 'fleet less intact than wanted'
    }
  }
}
