// The three tables of verbs: every word of the scenario language stands here once.
import * as parties from './given/parties.ts'
import * as lanes from './given/lanes.ts'
import * as things from './given/things.ts'
import * as persons from './given/holders.ts'
import * as published from './given/parameters.ts'
import * as lending from './given/libraries.ts'
import * as fares from './given/fares.ts'
import * as clinics from './given/clinics.ts'
import * as selling from './given/tills.ts'
import * as declared from './given/services.ts'
import * as bank from './when/bank.ts'
import * as cardsChange from './when/cards.ts'
import * as clinic from './when/clinics.ts'
import * as days from './when/days.ts'
import * as exports from './when/exports.ts'
import * as faresChange from './when/fares.ts'
import * as files from './when/files.ts'
import * as issuing from './when/issuing.ts'
import * as libraries from './when/libraries.ts'
import * as national from './when/national.ts'
import * as parameters from './when/parameters.ts'
import * as people from './when/people.ts'
import * as phones from './when/phones.ts'
import * as social from './when/social.ts'
import * as processes from './when/processes.ts'
import * as readers from './when/readers.ts'
import * as records from './when/records.ts'
import * as reconciling from './when/reconciliation.ts'
import * as serving from './when/services.ts'
import * as terminals from './when/terminals.ts'
import * as tills from './when/tills.ts'
import * as claiming from './when/treasury.ts'
import * as watch from './when/watch.ts'
import * as balancesNow from './then/balances.ts'
import * as bankNow from './then/bank.ts'
import * as cardsNow from './then/cards.ts'
import * as clinicNow from './then/clinics.ts'
import * as daysNow from './then/days.ts'
import * as exportsNow from './then/exports.ts'
import * as faresNow from './then/fares.ts'
import * as filesNow from './then/files.ts'
import * as librariesNow from './then/libraries.ts'
import * as loadsNow from './then/loads.ts'
import * as nationalNow from './then/national.ts'
import * as parametersNow from './then/parameters.ts'
import * as phonesNow from './then/phones.ts'
import * as peopleNow from './then/people.ts'
import * as proof from './then/proof.ts'
import * as readersNow from './then/readers.ts'
import * as recordsNow from './then/records.ts'
import * as reconciled from './then/reconciliation.ts'
import * as servicesNow from './then/services.ts'
import * as terminalsNow from './then/terminals.ts'
import * as tillsNow from './then/tills.ts'
import * as claimed from './then/treasury.ts'
import * as components from './then/components.ts'
import * as watchNow from './then/watch.ts'
import type { GivenVerb, ThenVerb, WhenVerb } from './verb.ts'

/** Done in this order, whatever the order in the file: a terminal needs its operator, and its PSAM. */
export const given = {
  clearing_date: parties.clearingDate,
  policies: parties.policies,
  parties: parties.parties,
  bank_accounts: parties.bankAccounts,
  commissions: parties.commissions,
  psams: things.psams,
  terminals: things.terminals,
  terminals_elsewhere: things.terminalsElsewhere,
  cards: things.cards,
  holders: persons.holders,
  tariffs: published.tariffs,
  fare_documents: fares.fareDocuments,
  concessions: fares.concessions,
  holidays: published.holidays,
  cities: published.cities,
  blacklist: published.blacklist,
  acknowledged: published.acknowledged,
  libraries: lending.libraries,
  clinic_rules: clinics.clinicRules,
  clinics: clinics.clinics,
  insured: clinics.insured,
  medical_accounts: clinics.medicalAccounts,
  lanes: lanes.lanes,
  self_checks: lending.selfChecks,
  tills: selling.tills,
  online_accounts: declared.onlineAccounts,
  services: declared.services
} as const satisfies Record<string, GivenVerb>

export const when = {
  deliver: records.deliver,
  upload: files.upload,
  export: exports.exportList,
  publish_blacklist: parameters.publishBlacklistVerb,
  publish_cities: parameters.publishCitiesVerb,
  publish_tariff: parameters.publishTariffVerb,
  publish_fares: faresChange.publishFares,
  publish_feed: faresChange.publishFeedVerb,
  enter_concessions: faresChange.enterConcessionsVerb,
  fetch_blacklist: parameters.fetchBlacklist,
  acknowledge: parameters.acknowledgeVerb,
  close_day: days.closeDay,
  approve_day: days.approveDay,
  instruct_day: days.instructDay,
  terminal_totals: reconciling.terminalTotals,
  party_position: reconciling.partyPosition,
  reconcile: reconciling.reconcileDay,
  bank_statement: bank.bankStatement,
  replace_instruction: bank.replaceInstruction,
  holder_paid: bank.holderPaid,
  centre_confirms: national.centreConfirms,
  centre_returns: national.centreReturns,
  change_calendar: parameters.changeCalendar,
  redate: watch.redate,
  expire_grey: watch.expireGrey,
  propose: people.propose,
  decide: people.decide,
  refund: people.refund,
  dispute: people.dispute,
  answer_dispute: people.answerDispute,
  decide_dispute: people.decideDispute,
  escalate_dispute: people.escalateDispute,
  issue_card: people.issueCard,
  make_cards: issuing.makeCards,
  issue_to: cardsChange.issueTo,
  move_card: cardsChange.moveCard,
  replace_card: cardsChange.replaceCard,
  return_card: cardsChange.returnCard,
  pay_return: cardsChange.payReturn,
  find_card: cardsChange.findCard,
  registry_says: social.registrySays,
  sign_in: people.signIn,
  release_held: watch.releaseHeld,
  release_hold: watch.releaseHold,
  tap: readers.tap,
  load: readers.load,
  taps: readers.taps,
  loads: readers.loads,
  bind_phone: phones.bindPhone,
  end_phone: phones.endPhone,
  show_code: phones.showCode,
  scan: phones.scan,
  tell_code: phones.tellCode,
  sell: tills.sell,
  sell_to_phone: tills.sellToPhone,
  top_up: tills.topUp,
  take_back: tills.takeBack,
  put_up: terminals.putUp,
  enrol: terminals.enrol,
  stop_terminals: terminals.stopTerminals,
  hear: terminals.hear,
  borrow: libraries.borrow,
  bring_back: libraries.bringBack,
  look_up: libraries.lookUp,
  pay_fine: libraries.payFine,
  say_again: libraries.sayAgain,
  change_readers: libraries.changeReaders,
  look_ahead: clinic.lookAhead,
  settle_bill: clinic.settleBill,
  cancel_bill: clinic.cancelBill,
  reverse_message: clinic.reverseMessage,
  random_bills: clinic.randomBills,
  insure: clinic.insure,
  handle_event: terminals.handleEvent,
  claim_from_treasury: claiming.claimFromTreasury,
  treasury_paid: claiming.treasuryPaid,
  serve: serving.serve,
  serve_again: serving.serveAgain,
  kill: processes.kill,
  start: processes.start,
  link: processes.link,
  lose_answer: processes.loseAnswer,
  tamper: processes.tamper
} as const satisfies Record<string, WhenVerb>

export const then = {
  cards: balancesNow.cards,
  card_lives: cardsNow.cardLives,
  returned: cardsNow.returned,
  replaced: cardsNow.replaced,
  accounts: balancesNow.accounts,
  changes: balancesNow.changes,
  records: recordsNow.records,
  answers: recordsNow.answers,
  findings: recordsNow.findings,
  estimates: recordsNow.estimates,
  price_findings: recordsNow.priceFindings,
  journeys: faresNow.journeys,
  explained: faresNow.explained,
  fare_days: faresNow.fareDays,
  quotes: faresNow.quotes,
  pass_prices: faresNow.passPrices,
  lines: recordsNow.lines,
  totals: recordsNow.totals,
  file_replies: filesNow.fileReplies,
  exported: exportsNow.exported,
  SS: filesNow.ss,
  adjusted_lines: filesNow.adjustedLines,
  QS: filesNow.qs,
  NS: filesNow.ns,
  days: daysNow.days,
  income: daysNow.income,
  blockers: daysNow.blockers,
  overridden: daysNow.overridden,
  positions: daysNow.positions,
  day_statements: bankNow.statements,
  statement_lines: bankNow.statementLines,
  forwarded: nationalNow.forwarded,
  returns: nationalNow.returns,
  bank_instructions: bankNow.instructions,
  bank_lines: bankNow.bankLines,
  blacklist: parametersNow.blacklist,
  liability: parametersNow.liability,
  tap: readersNow.tap,
  chips: readersNow.chips,
  loads: loadsNow.loads,
  card_blocks: loadsNow.cardBlocks,
  till: tillsNow.till,
  terminals: terminalsNow.terminals,
  served: terminalsNow.served,
  lagging: terminalsNow.lagging,
  held: terminalsNow.held,
  desk: librariesNow.desk,
  readers: librariesNow.readers,
  payments: librariesNow.payments,
  bill: clinicNow.bill,
  bill_explained: clinicNow.billExplained,
  sound_bills: clinicNow.soundBills,
  insured: clinicNow.insured,
  components: components.components,
  component_news: components.componentNews,
  component_availability: components.availability,
  treasury_claim: claimed.treasuryClaim,
  service_answer: servicesNow.serviceAnswer,
  code_uses: phonesNow.codeUses,
  alerts: watchNow.alerts,
  alerted: watchNow.alerted,
  psams: watchNow.psams,
  items: watchNow.items,
  items_of: watchNow.itemsOf,
  reconciliation: reconciled.reconciliation,
  differences: reconciled.differences,
  terminal_check: reconciled.terminalCheck,
  float: reconciled.floatVerb,
  proposals: peopleNow.proposals,
  disputes: peopleNow.disputes,
  audit_log: peopleNow.auditLog,
  holds: watchNow.holds,
  instructions: watchNow.instructions,
  verify: proof.verify,
  audit: proof.auditVerb
} as const satisfies Record<string, ThenVerb>

export type GivenName = keyof typeof given
export type WhenName = keyof typeof when
export type ThenName = keyof typeof then
