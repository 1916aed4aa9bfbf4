// Words about cards, disputes and alerts in Chinese; en-cards.ts has the same ones.
import type { AlertKind } from '../../schemas/alert.ts'

export const zhCards = {
  card: {
    heading: '卡片', one: (number: string) => `卡片 ${number}`, card: '卡号 / 发行次数', number: '卡号（至少末 6 位）',
    type: '卡种', state: '状态', normal: '正常', listed: '在黑名单', listedFor: '列名原因', issuer: '发卡方 / 发行次数',
    branch: '网点', anyBranch: '不限网点', openedAt: '开卡时间', validUntil: '卡片有效期至', unknownValidity: '未登记',
    balance: '卡内余额（截至最后一笔记录）', owed: '应付持卡人',
    pending: '待写卡', counter: '脱机计数器', openItems: '未结事项', more: '卡片详情', deeds: '办理', notYet: '尚未',
    counterAccount: '对方科目', requestedAt: '提出时间', decidedAt: '结果时间', signed: '签发次数', form: '锁定方式',
    chipBlocks: '卡上锁定', service: '线路', journeyDay: '运营日', price: '票价', because: '计价说明',
    fareDays: '应付与实付不符的日子', due: '应付', paid: '实付', amountYuan: '金额（元）', proposed: '已发起复核，等待他人同意。',
    order: '卡片指令', orderGiven: '指令已登记，下次刷卡时执行。', what: '事项',
    orderWhy: '指令由系统签名，卡片下次放上读卡器时由芯片执行。',
    loss: '挂失', lossDone: '已列入黑名单，随下一版名单下发。', lossAt: '申报时间', lossWhy: '立即列入黑名单并下发终端。',
    delist: '解除挂失', delistWhy: '解除须由他人复核。',
    refund: '退款', refunded: '已退款，下次充值时写入卡片。', refundWhy: (counter: string) => `退还计数器 ${counter} 的交易，超过限额须复核。`,
    exit: '补出站', exitWhy: '按持卡人申报补记出站，复核后重新计价。', stop: '出站站点', exitAt: '出站时间',
    withdraw: '撤回指令', withdrawWhy: '芯片尚未执行的指令可以撤回。',
    pin: '查看新密码', pinWhy: '新密码仅供持卡人使用，每次查看均写入审计日志。',
    tabs: { chain: '卡片链', journeys: '行程', statement: '资金明细', loads: '充值', orders: '指令与锁定', disputes: '争议' },
    types: {
      anonymous: '不记名', named: '记名', student: '学生', senior: '老年', staff: '员工', test: '测试',
      'social-security': '社保卡', foreign: '异地卡'
    },
    reasons: { oral_loss: '口头挂失', loss: '正式挂失', fraud: '涉嫌欺诈', cancelled: '注销', death: '持卡人死亡' },
    loads: { open: '待确认', written: '已写卡', not_written: '未写卡', declined: '拒绝' },
    sources: { agent: '代理点', pending: '待写卡金额' },
    orders: {
      unblock_application: '解锁应用', unblock_pin: '重置密码', block_application: '锁定应用', block_card: '锁定整卡',
      update_binary: '修改文件', update_record: '修改记录', write_key: '写密钥', reload_pin: '重装密码'
    },
    told: { waiting: '待执行', obeyed: '已执行', refused: '芯片拒绝', withdrawn: '已撤回' },
    forms: { temporary: '临时', permanent: '永久' },
    blocks: { open: '待确认', blocked: '已锁定', refused: '芯片拒绝' },
    uses: { claim: '已扣款', grey: '灰记录', contender: '竞争记录', stranger: '无主记录' },
    journeys: { complete: '完整', open: '待出站', one_sided: '缺少出站', corrected: '已更正' }
  },
  disputes: {
    heading: '争议', one: (id: string) => `争议 ${id}`, open: (id: string) => `查看争议 ${id}`,
    number: '编号', state: '状态', side: '主张方', operator: '运营方', answerUntil: '答复期限', escalateUntil: '申诉期限',
    adjustedOn: '入账日', steps: '经过', by: '操作人', at: '时间', stance: '态度', words: '说明（至少 10 个字符）', raise: '争议',
    raised: '争议已提出。',
    why: (counter: string) => `对计数器 ${counter} 的交易提出争议，由另一方答复后裁定。`,
    answer: '答复', decide: '裁定', escalate: '申诉',
    final: '发起终裁', finalWhy: '由两名此前未参与的人员终裁。', noted: '已记录。',
    sides: { holder: '持卡人', operator: '运营方', issuer: '发卡方' },
    stances: { agrees: '同意', contests: '不同意', accepts: '支持', refuses: '驳回' },
    states: {
      RAISED: '已提出', ANSWERED: '已答复', ACCEPTED: '已支持', REFUSED: '已驳回', ESCALATED: '已申诉', FINAL: '已终结'
    }
  },
  cases: {
    heading: '市民办事', number: '编号', kind: '事项', signal: '时限', dueOn: '答复期限', state: '状态', words: '情况说明',
    filedAt: '提交时间', deeds: '办理', which: '范围', open: '未办结', urgent: '临近期限或逾期',
    over: '已办结',
    agree: '同意', refuse: '不同意', answer: '答复',
    agreeWhy: '同意后由另一人复核，复核通过即生效。', body: '申请内容', agreed: '已发起复核，等待他人同意。', answered: '已答复。',
    said: '答复（至少 10 个字符）',
    kinds: { missing_exit: '补登出站', refund: '申请退款', lift_loss: '解除正式挂失', complaint: '投诉' },
    states: {
      filed: '已受理', deciding: '审核中', granted: '已同意', refused: '未同意', answered: '已答复', withdrawn: '已撤回'
    },
    signals: { none: '正常', due: '临近期限', yellow: '黄牌：逾期', red: '红牌：严重逾期' }
  },
  alerts: {
    heading: '告警', at: '发现时间', kind: '种类', about: '对象', evidence: '首个依据',
    kinds: {
      psam_unknown: '未登记的 PSAM', terminal_unknown: '未登记的终端', psam_terminal_mismatch: 'PSAM 与终端不符',
      merchant_mismatch: '商户与终端不符', psam_stolen: '被盗 PSAM 仍在使用', clock_implausible: '终端时钟不可信',
      clock_drift: '终端时钟偏快', psam_regression: 'PSAM 序号倒退', clone_suspicion: '疑似克隆卡',
      merchant_closed: '已销户商户仍有记录', account_reopened: '已销账户重新启用', redress_void: '退款随原交易撤销',
      unknown_load: '卡内金额多于充值', load_tac_wrong: '充值 TAC 不符', fraud_suspicion: '疑似套现',
      usage_over_limit: '超出使用限额', city_list_overdue: '城市名单过旧', gateway_away: '网关失联',
      terminal_unhandled: '终端事件逾期未处理', fleet_below: '终端完好率不达标'
    } satisfies Record<AlertKind, string>
  }
}
