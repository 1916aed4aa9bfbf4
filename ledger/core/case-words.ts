// What residents may ask for and what it takes, in both languages. Pure.
import type { CaseKind } from '../../schemas/case.ts'
import type { Words } from '../../schemas/card-look.ts'

export const caseNames: Readonly<Record<CaseKind, Words>> = {
  missing_exit: { zh: '补登出站', en: 'A missing exit' },
  refund: { zh: '申请退款', en: 'A refund' },
  lift_loss: { zh: '解除正式挂失', en: 'A formal loss report lifted' },
  complaint: { zh: '投诉', en: 'A complaint' }
}

export const caseRules: Readonly<Record<CaseKind, Words>> = {
  missing_exit: {
    zh: '请说明下车站点和时间。经两名工作人员核实后重新计价，多收的票款退回卡内。',
    en: 'Say where and when you got off. Two of the staff look at it; then the journey is priced anew, and ' +
      'what was taken too much comes back to the card.'
  },
  refund: {
    zh: '请选择一笔交易，并说明金额和原因。经两名工作人员核实后退回卡内。',
    en: 'Name a payment, the amount and why. Two of the staff look at it; then it comes back to the card.'
  },
  lift_loss: {
    zh: '卡片找回后，可在规定期限内申请解除正式挂失，须经两名工作人员核实。',
    en: 'Where you have found the card again in time, two of the staff may lift the report.'
  },
  complaint: {
    zh: '请说明情况，我们将在期限内书面答复。',
    en: 'Say what happened; you get an answer in words in time.'
  }
}
