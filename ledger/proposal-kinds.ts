// Every kind of proposal the ledger knows, by the name the API uses. Each stands in the file of its trade.
import { attributeLineKind, voidInstructionKind } from './bank-items.ts'
import { bankAccountKind } from './bank-accounts.ts'
import { accountClosingKind } from './close-account.ts'
import { cityListKind } from './cities.ts'
import { cardAccountClosingKind } from './close-card-account.ts'
import { correctionKind } from './correct.ts'
import { disputeFinalKind } from './dispute.ts'
import { itemPostingKind } from './items.ts'
import { settlementOverrideKind } from './override.ts'
import { blacklistRemovalKind, tariffKind } from './parameters.ts'
import { parametersKind } from './policies.ts'
import { greyExpiryKind } from './grey-expiry.ts'
import { holdReleaseKind } from './holds.ts'
import { prefundKind } from './prefund.ts'
import type { ProposalKinds } from './proposals.ts'
import { redateKind } from './redate.ts'
import { refundKind, unpaidReleaseKind } from './refund.ts'
import { residualKind, residualReturnKind } from './residual.ts'
import { staffMemberKind } from './staff.ts'

export const proposalKinds: ProposalKinds = {
  card_account_closing: cardAccountClosingKind,
  agent_prefund: prefundKind,
  correction: correctionKind,
  settlement_override: settlementOverrideKind,
  bank_account: bankAccountKind,
  staff_member: staffMemberKind,
  tariff: tariffKind,
  parameters: parametersKind,
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
  item_posting: itemPostingKind,
  hold_release: holdReleaseKind,
  attribute_line: attributeLineKind,
  void_instruction: voidInstructionKind
}
