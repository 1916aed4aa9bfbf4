// The one registry of reasons: every verdict on a record and every refused request, with the code each wire
// shows. A reason that is missing here does not compile; docs/reasons.md is checked against this table both
// ways.

/** What the ledger says of a record that tells history. Each distinct line ends in exactly one. */
export type Outcome = 'accepted' | 'held' | 'refused' | 'excluded'

type VerdictRow = {
  readonly outcome: Outcome
  /** Two-digit code in the SS file of the clearing centre; `null` where the file carries no line for it. */
  readonly wire: string | null
  readonly en: string
  readonly zh: string
}

/**
 * Reasons of a verdict. The order of the keys is the order of the checks: the first that applies names the
 * verdict. What stands behind `ok` is a remark: kept as a finding, it never names a verdict.
 */
export const verdictReasons = {
  duplicate: { outcome: 'refused', wire: '03', en: 'the same event was delivered before', zh: '重复记录' },
  malformed: { outcome: 'refused', wire: '02', en: 'the record cannot be read', zh: '数据非法' },
  psam_unknown: { outcome: 'refused', wire: '90', en: 'the PSAM is not registered', zh: 'PSAM 未注册' },
  terminal_unknown: { outcome: 'refused', wire: '90', en: 'the terminal is not registered', zh: '终端未注册' },
  card_unknown: { outcome: 'refused', wire: '02', en: 'no such card was issued', zh: '卡号非法' },
  test_card: { outcome: 'excluded', wire: '06', en: 'a test card: shown, never settled', zh: '测试卡' },
  test_psam: { outcome: 'excluded', wire: '06', en: 'a test PSAM: shown, never settled', zh: '测试 PSAM' },
  grey: { outcome: 'held', wire: '04', en: 'the outcome on the chip is not proven yet', zh: '灰记录' },
  grey_cancelled: {
    outcome: 'refused', wire: '04', en: 'later evidence shows that the chip did not pay',
    zh: '灰记录取消'
  },
  grey_expired: {
    outcome: 'refused', wire: '04', en: 'nobody could prove that the chip paid; given up by two approvals',
    zh: '灰记录到期'
  },
  tac_wrong: { outcome: 'refused', wire: '01', en: 'the TAC does not match', zh: 'TAC 错误' },
  clock_implausible: { outcome: 'held', wire: '90', en: 'the terminal clock cannot be right', zh: '时钟异常' },
  psam_terminal_mismatch: {
    outcome: 'refused', wire: '90', en: 'the PSAM is bound to another terminal', zh: 'PSAM 与终端不符'
  },
  merchant_mismatch: {
    outcome: 'refused', wire: '90', en: 'the terminal belongs to another operator', zh: '终端不属于该商户'
  },
  merchant_closed: {
    outcome: 'refused', wire: '90', en: 'the account of the operator was closed before the event',
    zh: '商户结算账户已关闭'
  },
  city_not_listed: {
    outcome: 'refused', wire: '90', en: 'the city of the card was not on the accepted list yet',
    zh: '城市未接入'
  },
  city_deleted: {
    outcome: 'refused', wire: '90',
    en: 'the city left the accepted list more than 7 days before: the 7-day rule', zh: '城市已退出（7天规则）'
  },
  card_type_not_allowed: {
    outcome: 'refused', wire: '90', en: 'cards of this type are not accepted at this kind of merchant',
    zh: '卡类型不适用'
  },
  type_not_allowed: {
    outcome: 'refused', wire: '90', en: 'this kind of transaction is not allowed here',
    zh: '交易类型非法'
  },
  amount_over_limit: { outcome: 'refused', wire: '90', en: 'the amount is above the limit', zh: '金额超限' },
  overdue: { outcome: 'refused', wire: '05', en: 'older than the late limit', zh: '过期记录' },
  psam_stolen: {
    outcome: 'refused', wire: '90', en: 'the PSAM was reported stolen before the event',
    zh: 'PSAM 已挂失'
  },
  blacklisted: {
    outcome: 'refused', wire: '90', en: 'the card was on the list this terminal had, or should have had',
    zh: '黑名单卡'
  },
  issuer_pays: {
    outcome: 'accepted', wire: null,
    en: 'another event stands on its counter, the operator acted in good faith: the issuer bears it',
    zh: '计数器冲突，经复核由发卡方承担'
  },
  rejected: {
    outcome: 'refused', wire: '90', en: 'held, and two people found that the operator is owed nothing for it',
    zh: '经复核拒付'
  },
  psam_regression: { outcome: 'held', wire: '90', en: 'the PSAM sequence runs backwards', zh: 'PSAM 流水号倒退' },
  conflict: { outcome: 'held', wire: '90', en: 'another valid event claims the same counter', zh: '计数器冲突' },
  chain_broken: { outcome: 'held', wire: '90', en: 'the card chain contradicts this event', zh: '卡链不连续' },
  returned_by_issuer: {
    outcome: 'refused', wire: '90', en: 'the issuer in another city refused it through the national centre',
    zh: '异地发卡方退回'
  },
  issuer_risk: {
    outcome: 'accepted', wire: null,
    en: 'used after a loss report inside the allowed window: the issuer bears it',
    zh: '窗口期内挂失卡，发卡方承担'
  },
  late: {
    outcome: 'accepted', wire: null, en: 'accepted late, settled in the open clearing date',
    zh: '滞后入账'
  },
  ok: { outcome: 'accepted', wire: null, en: 'accepted', zh: '正常' },
  released: {
    outcome: 'accepted', wire: null, en: 'was held; two people found it good', zh: '经复核放行'
  },
  redated: {
    outcome: 'accepted', wire: null, en: 'the date is an estimate from the records before and after',
    zh: '按前后记录推算时间'
  },
  city_leaving: {
    outcome: 'accepted', wire: null,
    en: 'the city left the accepted list less than 7 days before: the terminal must be updated',
    zh: '城市即将停用'
  },
  amount_abnormal: {
    outcome: 'accepted', wire: null, en: 'no fare that was valid then comes to this amount', zh: '金额异常'
  },
  clock_drift: { outcome: 'accepted', wire: null, en: 'the terminal clock is ahead', zh: '时钟偏快' }
} as const satisfies Record<string, VerdictRow>

export type VerdictReason = keyof typeof verdictReasons

/** Stored as a small number in the hot tables; never renumber, only append. */
export const reasonNumbers = {
  ok: 0, late: 1, issuer_risk: 2, amount_abnormal: 3, clock_drift: 4, city_leaving: 5, redated: 6,
  issuer_pays: 7, released: 8,
  grey: 10, clock_implausible: 11, psam_regression: 12, conflict: 13,
  chain_broken: 14,
  duplicate: 20, malformed: 21, psam_unknown: 22, terminal_unknown: 23, card_unknown: 24, tac_wrong: 25,
  psam_terminal_mismatch: 26, merchant_mismatch: 27, type_not_allowed: 28, amount_over_limit: 29, overdue: 30,
  psam_stolen: 31, blacklisted: 32, grey_cancelled: 33, grey_expired: 34, card_type_not_allowed: 35,
  city_not_listed: 36, city_deleted: 37, returned_by_issuer: 38, merchant_closed: 39,
  test_card: 40, test_psam: 41, rejected: 42
} as const satisfies Record<VerdictReason, number>

export const outcomeNumbers = {
  accepted: 0, held: 1, refused: 2,
  excluded: 3
} as const satisfies Record<Outcome, number>

type AnswerRow = { readonly iso8583: string, readonly en: string, readonly zh: string }

/**
 * Reasons of the answer to an online request. The order of the keys is the order of the checks; `iso8583` is
 * the response code (field 39) on that wire.
 */
export const answerReasons = {
  party_unknown: { iso8583: '03', en: 'no such operator or agent takes part', zh: '商户或代理点未注册' },
  taken_back: { iso8583: '68', en: 'its reversal came first', zh: '冲正已先到' },
  original_unknown: { iso8583: '25', en: 'there is no such request to take back', zh: '原交易不存在' },
  original_declined: { iso8583: '12', en: 'the original moved no money', zh: '原交易未成功' },
  amount_over_remaining: { iso8583: '61', en: 'more than remains of the original', zh: '超过原交易剩余金额' },
  card_unknown: { iso8583: '14', en: 'no such card was issued', zh: '卡号非法' },
  test_card: { iso8583: '57', en: 'a test card moves no money', zh: '测试卡' },
  card_blocked: { iso8583: '62', en: 'the card is blocked or on the blacklist', zh: '卡片已挂失或锁定' },
  amount_not_allowed: { iso8583: '13', en: 'top-ups are multiples of a step', zh: '充值金额不符合规定' },
  amount_over_limit: { iso8583: '61', en: 'the amount is above the limit', zh: '金额超限' },
  card_day_limit: { iso8583: '61', en: 'more than a card may in a day', zh: '超过卡片单日限额' },
  terminal_limit: { iso8583: '61', en: 'more than this terminal may at once', zh: '超过终端单笔限额' },
  terminal_day_limit: { iso8583: '61', en: 'more than this terminal may in a day', zh: '超过终端单日限额' },
  account_unknown: { iso8583: '52', en: 'no online account was opened for the card', zh: '联机账户未开立' },
  account_closed: { iso8583: '62', en: 'the account is closed', zh: '账户已关闭' },
  insufficient_funds: { iso8583: '51', en: 'not enough on the online account', zh: '联机账户余额不足' },
  agent_insufficient: { iso8583: '51', en: 'the agent has paid in less than it sells', zh: '代理点预存款不足' },
  balance_over_limit: { iso8583: '61', en: 'the card would hold more than it may', zh: '余额超过限额' },
  load_key_unknown: { iso8583: '58', en: 'no load key of this version is held', zh: '圈存密钥版本不存在' },
  mac1_wrong: { iso8583: '63', en: 'the MAC of the card is wrong', zh: 'MAC1 校验失败' },
  counter_wrong: { iso8583: '63', en: 'the counter of the card is behind what is known', zh: '联机交易序号错误' },
  pending_insufficient: { iso8583: '51', en: 'less waits for the card than was asked for', zh: '未圈存余额不足' },
  withdrawn: { iso8583: '22', en: 'it was taken back before', zh: '交易已撤销' },
  ok: { iso8583: '00', en: 'approved', zh: '成功' }
} as const satisfies Record<string, AnswerRow>

export type AnswerReason = keyof typeof answerReasons

/** Stored as a small number; never renumber, only append. */
export const answerNumbers = {
  ok: 0, party_unknown: 1, original_unknown: 2, original_declined: 3, amount_over_remaining: 4,
  card_unknown: 5, test_card: 6, card_blocked: 7, amount_not_allowed: 8, amount_over_limit: 9,
  account_unknown: 10, account_closed: 11, insufficient_funds: 12, agent_insufficient: 13,
  balance_over_limit: 14, taken_back: 15,
  load_key_unknown: 40, mac1_wrong: 41, counter_wrong: 42, pending_insufficient: 43, withdrawn: 44,
  card_day_limit: 50, terminal_limit: 51, terminal_day_limit: 52
} as const satisfies Record<AnswerReason, number>

const answerNames = new Map<number, AnswerReason>(
  Object.entries(answerNumbers).map(([name, number]) => [number, name as AnswerReason]))

/** The reason that is stored as a number. Throws for one that was never given. */
export function answerReasonOf (number: number): AnswerReason {
  const name = answerNames.get(number)
  if (name === undefined) throw new RangeError(`no reason of an answer has the number ${number}`)
  return name
}

/**
 * What a host says to a terminal of a request that the ledger never answered: field 39 of ISO 8583. The order
 * of the keys is the order of the checks.
 */
export const hostReasons = {
  unreadable: { iso8583: '30', en: 'the message cannot be read, or a field is missing', zh: '报文格式错误' },
  kind_unknown: { iso8583: '40', en: 'no such exchange', zh: '不支持的交易' },
  terminal_unknown: { iso8583: '97', en: 'the terminal is not enrolled here', zh: '终端未登记' },
  merchant_wrong: { iso8583: '03', en: 'the terminal belongs to another merchant', zh: '商户与终端不符' },
  sign_in_first: { iso8583: '77', en: 'no working key: sign in', zh: '请先签到' },
  mac_wrong: { iso8583: 'A0', en: 'field 64 is wrong or missing', zh: 'MAC 校验错' },
  too_busy: { iso8583: '65', en: 'more requests than a terminal may send: wait', zh: '请求过于频繁，请稍候' },
  batch_over: { iso8583: '77', en: 'the batch is settled: sign in for the next', zh: '批次已结算，请签到' },
  upload_first: { iso8583: '95', en: 'the totals differ: upload the batch first', zh: '对账不平，请先批上送' },
  batch_full: { iso8583: '95', en: 'the batch has no room: settle it first', zh: '批次已满，请先结算' },
  store_full: { iso8583: '96', en: 'the gateway has no room to keep it', zh: '存储空间不足' },
  key_used: { iso8583: '94', en: 'terminal, batch and trace were used for other content', zh: '流水号重复' },
  issuer_unknown: { iso8583: '14', en: 'no card of ours begins like this', zh: '卡号非法' },
  original_missing: { iso8583: '25', en: 'field 61 names no original', zh: '原交易不存在' },
  original_reversed: { iso8583: '12', en: 'the original was taken back, or has to stay', zh: '原交易不可撤销' },
  amount_differs: { iso8583: '64', en: 'the amount is not that of the original', zh: '与原交易金额不符' },
  refused: { iso8583: '96', en: 'the ledger refuses such a request', zh: '系统异常' },
  unanswered: { iso8583: '98', en: 'no answer in time: it is taken back', zh: '超时，已冲正' }
} as const satisfies Record<string, AnswerRow>
export type HostReason = keyof typeof hostReasons

type RequestRow = { readonly http: number, readonly en: string, readonly zh: string }

/** Reasons of a refused request: the `reason` of an RFC 9457 problem document. */
export const requestReasons = {
  body_invalid: { http: 400, en: 'the body does not match the schema', zh: '请求格式错误' },
  unauthenticated: { http: 401, en: 'sign in, or send a valid bearer token', zh: '未登录' },
  credentials_wrong: { http: 401, en: 'the name or the password is wrong', zh: '用户名或密码错误' },
  forbidden: { http: 403, en: 'your role does not allow this', zh: '无权操作' },
  self_approval: {
    http: 403, en: 'the same person cannot approve twice or approve an own request',
    zh: '不得自行审批'
  },
  other_branch: { http: 403, en: 'this belongs to another branch', zh: '不属于本网点' },
  password_change_needed: {
    http: 403, en: 'choose a password of your own before anything else', zh: '请先修改初始密码'
  },
  password_weak: { http: 422, en: 'choose a longer or less obvious password', zh: '密码强度不足' },
  not_found: { http: 404, en: 'there is no such thing', zh: '不存在' },
  delivery_conflict: { http: 409, en: 'this delivery id was used for other content', zh: '批次号已被不同内容使用' },
  request_conflict: { http: 409, en: 'this key was used for another request', zh: '该请求号已用于其他请求' },
  key_in_flight: {
    http: 409, en: 'the first request with this key is not answered yet', zh: '相同幂等键的请求处理中'
  },
  key_reused: { http: 422, en: 'this idempotency key was used for another request', zh: '幂等键已用于其他请求' },
  account_not_empty: { http: 409, en: 'an account is closed when it holds nothing', zh: '账户余额不为零' },
  charge_conflict: { http: 409, en: 'this reference was used for another amount', zh: '该流水号已用于其他金额' },
  day_state: { http: 409, en: 'the clearing day is not in the state this step needs', zh: '清分日状态不符' },
  check_failed: {
    http: 409, en: 'a check of the clearing day failed and stays failed until corrected',
    zh: '日终检查未通过'
  },
  approval_stale: { http: 409, en: 'what was to be approved has changed; ask again', zh: '待审批内容已变更' },
  proposal_pending: { http: 409, en: 'the same proposal waits for approval already', zh: '相同申请待审批中' },
  item_closed: { http: 409, en: 'the item is closed already', zh: '差错项已关闭' },
  proposal_over: { http: 409, en: 'the proposal has been decided already', zh: '申请已处理' },
  dispute_unfinished: {
    http: 409, en: 'an unfinished dispute is about this transaction', zh: '存在未完结的争议'
  },
  dispute_over: { http: 409, en: 'a dispute about it was refused for good', zh: '争议已终结' },
  dispute_state: { http: 409, en: 'the dispute is not in the state this step needs', zh: '争议状态不符' },
  too_early: { http: 409, en: 'it is too early for this step', zh: '未到办理时间' },
  deadline_passed: { http: 409, en: 'the deadline for this step has passed', zh: '已过期限' },
  answer_deadline_passed: { http: 409, en: 'the deadline for an answer has passed', zh: '已过答复期限' },
  prior_step_missing: { http: 409, en: 'an earlier step has not been taken yet', zh: '缺少前置步骤' },
  conditions_not_met: { http: 409, en: 'the conditions for this step are not met', zh: '不满足条件' },
  holder_rule: {
    http: 409, en: 'a rule for holders says no; its name comes first', zh: '不符合持卡人业务规则'
  },
  cannot_return_twice: { http: 409, en: 'what was returned once cannot be returned again', zh: '不得重复退款' },
  too_large: { http: 413, en: 'the body is larger than allowed', zh: '请求过大' },
  unsupported_media_type: { http: 415, en: 'the content type is not supported', zh: '不支持的内容类型' },
  file_name_invalid: { http: 422, en: 'the file name does not follow the pattern', zh: '文件名错误' },
  file_header_invalid: { http: 422, en: 'the header of the file cannot be read', zh: '文件头错误' },
  file_count_wrong: { http: 422, en: 'the header counts other records than the file holds', zh: '文件记录数不符' },
  file_total_wrong: { http: 422, en: 'the header total differs from the sum of the records', zh: '文件总金额不符' },
  file_record_length_wrong: {
    http: 422, en: 'a record has another length than the header says',
    zh: '记录长度不符'
  },
  file_digest_wrong: { http: 422, en: 'the digest in the header does not match the records', zh: '文件摘要不符' },
  file_sequence_used: { http: 409, en: 'this file sequence was used for other content', zh: '文件序号已被使用' },
  webhook_invalid: { http: 422, en: 'the webhook cannot be used', zh: '回调地址无效' },
  amount_wrong: { http: 422, en: 'the amount is more than there is', zh: '金额错误' },
  float_off: {
    http: 409, en: 'the float identity is off: two people must override the day before it is paid',
    zh: '备付金不平，须两人覆核放行'
  },
  bank_file_invalid: {
    http: 422, en: 'the file is no bank statement, or contradicts itself',
    zh: '银行对账文件错误'
  },
  bank_account_unknown: { http: 422, en: 'the statement is of an account that is not ours', zh: '非本公司账户' },
  bank_account_missing: { http: 409, en: 'a party has no bank account to pay to or from', zh: '缺少银行账户' },
  statement_conflict: {
    http: 409, en: 'this statement was told before with other content', zh: '对账单内容与此前不一致'
  },
  registry_invalid: { http: 422, en: 'an entry of the registry contradicts another', zh: '登记信息矛盾' },
  internal: { http: 500, en: 'a fault on our side; try again, nothing was booked', zh: '系统错误' },
  unavailable: { http: 503, en: 'not ready; try again later', zh: '服务暂不可用' }
} as const satisfies Record<string, RequestRow>

export type RequestReason = keyof typeof requestReasons
