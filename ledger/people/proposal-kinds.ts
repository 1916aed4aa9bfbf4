// Every kind of proposal the ledger knows, by the name the API uses. Each stands in the file of its trade.
import { attributeLineKind, voidInstructionKind } from '../bank/bank-items.ts'
import { bankAccountKind } from '../bank/bank-accounts.ts'
import { accountClosingKind } from '../posting/close-account.ts'
import { cityListKind } from '../parameters/cities.ts'
import { cardMoveKind } from '../cards/card-life.ts'
import { cardAccountClosingKind } from '../cards/close-card-account.ts'
import { companyMemberKind } from './company.ts'
import { correctionKind } from '../posting/correct.ts'
import { disputeFinalKind } from '../redress/dispute.ts'
import { itemPostingKind } from '../reconciling/items.ts'
import { settlementOverrideKind } from '../day/override.ts'
import { blacklistRemovalKind, tariffKind } from '../parameters/parameters.ts'
import { holidaysKind } from '../parameters/holidays.ts'
import { parametersKind } from '../parameters/policies.ts'
import { greyExpiryKind } from '../cards/grey-expiry.ts'
import { holdReleaseKind } from '../day/holds.ts'
import { prefundKind } from '../posting/prefund.ts'
import type { ProposalKinds } from './proposals.ts'
import { heldReleaseKind } from '../cards/release-held.ts'
import { redateKind } from '../cards/redate.ts'
import { refundKind, unpaidReleaseKind } from '../redress/refund.ts'
import { residualKind, residualReturnKind } from '../cards/residual.ts'
import { medicalCreditKind } from '../services/clinic/credit.ts'
import { clinicRulesKind } from '../services/clinic/set-up.ts'
import { libraryDepositKind } from '../services/library/deposit.ts'
import { campusSubsidyKind } from '../services/others/subsidy.ts'
import { serviceShareKind } from '../services/others/shares.ts'
import { serviceReversalKind } from '../services/others/take-back.ts'
import { terminalEnrolmentKind } from '../terminals/enrolment.ts'
import { exitDecisionKind } from '../services/transit/exits.ts'
import { fareDocumentKind } from '../services/transit/documents.ts'
import { staffMemberKind } from './staff.ts'

export const proposalKinds: ProposalKinds = {
  card_account_closing: cardAccountClosingKind,
  card_move: cardMoveKind,
  agent_prefund: prefundKind,
  correction: correctionKind,
  settlement_override: settlementOverrideKind,
  bank_account: bankAccountKind,
  staff_member: staffMemberKind,
  company_member: companyMemberKind,
  terminal_enrolment: terminalEnrolmentKind,
  tariff: tariffKind,
  parameters: parametersKind,
  holidays: holidaysKind,
  city_list: cityListKind,
  blacklist_removal: blacklistRemovalKind,
  account_closing: accountClosingKind,
  refund: refundKind,
  unpaid_release: unpaidReleaseKind,
  residual: residualKind,
  residual_return: residualReturnKind,
  dispute_final: disputeFinalKind,
  redate: redateKind,
  grey_expiry: greyExpiryKind,
  held_release: heldReleaseKind,
  item_posting: itemPostingKind,
  hold_release: holdReleaseKind,
  attribute_line: attributeLineKind,
  void_instruction: voidInstructionKind,
  library_deposit: libraryDepositKind,
  service_share: serviceShareKind,
  service_reversal: serviceReversalKind,
  campus_subsidy: campusSubsidyKind,
  fare_document: fareDocumentKind,
  exit_decision: exitDecisionKind,
  clinic_rules: clinicRulesKind,
  medical_credit: medicalCreditKind
}
