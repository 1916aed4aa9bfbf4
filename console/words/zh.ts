// All words of the console in Chinese, its first language; en.ts has the same ones, or does not compile.
import { zhCards } from './zh-cards.ts'
import { zhOffice } from './zh-office.ts'

type Widen<T> = {
  readonly [K in keyof T]: T[K] extends string ? string
    : T[K] extends (...args: infer A) => string ? (...args: A) => string : Widen<T[K]>
}
export type Words = Widen<typeof zh>

export const zh = {
  ...zhCards,
  ...zhOffice,
  title: '市民卡运营控制台',
  skip: '跳到正文',
  menu: '主菜单',
  loading: '加载中',
  nothing: '没有记录',
  again: '重新加载',
  previous: '上一页',
  next: '下一页',
  all: '全部',
  cancel: '取消',
  print: '打印 / PDF',
  onePage: '本表只是其中一页，全部数据请导出 CSV 或 XLSX。',
  find: '查询',
  none: '无',
  colon: '：',
  pages: {
    days: '日终看板', positions: '清分与净额', exceptions: '差错处理', approvals: '双人复核', cards: '卡片',
    calls: '呼叫中心', cases: '市民办事', supervision: '电子监察', disputes: '争议', alerts: '告警',
    reconciliation: '对账 A–I', bank: '银行对账', terminals: '终端', tariffs: '票价', audit: '审计日志',
    exports: '导出', tapes: '报文回放'
  },
  signIn: {
    heading: '登录', name: '用户名', password: '密码', go: '登录', out: '退出', over: '会话已失效，请重新登录。',
    change: '修改初始密码', old: '当前密码', wanted: '新密码', save: '保存',
    provider: '统一身份认证登录',
    why: '密码由他人设定，请先设置自己的密码。'
  },
  problem: {
    heading: '未能完成', away: '无法连接服务器，请稍后重试。', says: '系统说明'
  },
  roles: {
    registrar: '登记', clerk: '业务', hotline: '客服', settler: '清算', approver: '复核', auditor: '审计', admin: '管理',
    viewer: '查看', handler: '经办'
  },
  day: {
    heading: (date: string) => `日终看板：${date}`,
    state: '状态', valueDate: '划款日', stages: '日终步骤', blockers: '阻塞事项', noBlockers: '没有阻塞事项',
    clear: '正常：没有阻塞', waits: (count: string) => `${count} 项阻塞`, running: '当日营业中',
    checks: '检查', check: '检查项', result: '结果', detail: '说明', at: '时间', by: '操作人',
    passed: '通过', failed: '未通过', approvals: '已复核', nobody: '尚无人复核', netSum: '净额合计',
    override: '备付金放行', days: '清分日', date: '日期', approvers: '复核人', notYet: '未到',
    close: '日终清分', approve: '复核净额', instruct: '生成划款指令', positions: '查看净额',
    sure: {
      close: '切日、核对并清分该日。清分后净额不再变化。',
      approve: '我已核对各方净额，同意按下列摘要划款。',
      instruct: '按已复核的净额生成划款指令。'
    },
    digest: '净额摘要',
    states: {
      OPEN: '营业', CUT: '已切日', VERIFIED: '已核对', CLEARED: '已清分', APPROVED: '已复核',
      INSTRUCTED: '已指令', CONFIRMED: '已到账'
    }
  },
  positions: {
    heading: (date: string) => `清分与净额：${date}`, party: '参与方', book: '账簿', claims: '应收', commission: '手续费',
    loads: '代收充值', loadCommission: '充值佣金', adjustments: '调整', net: '净额', sum: '合计', carried: '前期结转',
    chart: '各方净额', pays: '应付', receives: '应收', instructions: '划款指令', instruction: '指令号', direction: '方向',
    amount: '金额', state: '状态', account: '账户', pay: '付款', collect: '收款',
    states: { sent: '已发送', confirmed: '已到账', returned: '退回', void: '作废' },
    books: { commerce: '商务', medical: '医保', library: '图书', campus: '校园', treasury: '财政' } as
      Readonly<Record<string, string>>,
    batchKinds: {
      records: '交易记录', registry: '登记', correction: '更正', clearing: '清分', settlement: '结算',
      requests: '联机交易', bank: '银行', notes: '业务通知'
    } as Readonly<Record<string, string>>
  },
  trace: {
    batches: (party: string, date: string) => `${party} ${date} 的批次`, batch: '批次', kind: '种类', at: '时间',
    delivery: '来源', transfers: '分录数', lines: (batch: string) => `批次 ${batch} 的分录`, transfer: '分录',
    debit: '借方', credit: '贷方', amount: '金额', card: '卡', line: '原始记录', eventAt: '交易时间',
    raw: (line: string, delivery: string) => `原始记录：${delivery} 第 ${line} 行`, root: '默克尔根', digest: '摘要',
    source: '来源方', receivedAt: '接收时间', verdict: '判定', bytes: '原始字节', ruler: '字段标尺', field: '字段',
    offset: '偏移', length: '长度', value: '内容', means: '含义', chain: '卡片链', moved: '资金分录', hex: '十六进制',
    corrects: '更正', counter: '计数器', before: '交易前', after: '交易后', gap: '缺口',
    missing: (from: string, to: string) => `缺 ${from}–${to}`, none: '不移动资金', parts: '计入净额',
    chainOf: (card: string) => `卡片链：${card}`
  },
  items: {
    heading: '差错处理', item: '编号', layer: '层', outcome: '差异', about: '对象', party: '参与方', amount: '差额',
    age: '已开', days: (count: string) => `${count} 天`, owner: '负责人', nobody: '无人', note: '备注', state: '状态',
    open: '未结', closed: '已结', evidence: '依据', proposal: '建议分录', take: '由我处理', release: '释放', write: '写备注',
    close: '结案', reason: '原因（至少 10 个字符）', chosen: (count: string) => `已选 ${count} 项`, views: '保存的视图',
    save: '保存视图', viewName: '视图名称', template: '原因模板', mine: '我的', olderThan: '至少已开（天）', view: '差错',
    resolution: '结案原因', choose: (item: string) => `选择差错 ${item}`, propose: '发起记账复核', drop: '删除视图',
    templates: [
      '对方次日文件已到，差异自行消除', '已与运营方核对，对方记录有误', '终端补传后记录一致，无需记账'
    ] as readonly string[],
    outcomes: {
      LEFT_ONLY: '我方有对方无', RIGHT_ONLY: '对方有我方无', AMOUNT_DIFF: '金额不符', STATE_DIFF: '状态不符',
      DATE_DIFF: '日期差', DUPLICATE: '重复', MATCHED: '一致'
    }
  },
  approvals: {
    heading: '双人复核', pending: '待复核', id: '编号', kind: '种类', subject: '对象', reason: '原因', by: '发起人', at: '发起时间',
    state: '状态', needed: '已复核', approve: '同意', refuse: '拒绝', withdraw: '撤回', content: '内容', looked: '发起时所见',
    decisions: '决定', note: '备注', own: '本人发起的申请须由他人复核', show: '查看', of: (have: string,
      need: string) => `${have} / ${need}`,
    approved: '同意', refused: '拒绝', what: (id: string) => `申请 ${id}`, outcome: '结果', days: '待复核的清分日',
    states: { pending: '待复核', done: '已执行', refused: '已拒绝', stale: '已失效', withdrawn: '已撤回' }
  },
  reconciliation: {
    heading: '对账 A–I', layer: '层', latest: '最近一次', trend: '趋势', unmatched: '不一致项', run: '重新对账',
    chart: '各日不一致项数', matched: '一致', off: '有差异', never: '未对账', table: '各日结果', sure: '对该清分日重新执行全部对账层。',
    float: '备付金', book: '账簿', held: '存管余额', transit: '在途', holders: '欠持卡人', partiesOwed: '欠参与方', own: '自有',
    offBy: '差额',
    layers: {
      A: '终端批次', B: 'PSAM 序号', C: '文件', D: '总账', E: '卡片链', F: '清算', G: '银行', H: '医保', I: '备付金'
    }
  },
  bank: {
    heading: '银行对账', statements: '对账单', statement: '对账单号', account: '账户', from: '起', to: '止', opening: '期初',
    closing: '期末',
    lines: '明细', received: '接收时间', by: '操作人', bookedOn: '记账日', amount: '金额', state: '认定',
    party: '参与方',
    instruction: '指令号', counterparty: '对方', text: '附言', upload: '导入对账单', file: '对账单文件（camt.053 XML 或 CSV）',
    send: '导入', done: '已导入', replayed: '该对账单此前已导入，未作变更', confirmed: '已到账的清分日', breaks: '断点',
    reference: '银行流水',
    only: '只看', tooLarge: '文件超过 64 MiB',
    states: {
      confirmed: '已确认', returned: '退回', paid_in: '入账', unidentified: '未识别', attributed: '已认领', repeated: '重复'
    }
  },
  terminals: {
    heading: '终端', operator: '运营方', terminal: '终端', name: '名称', place: '位置', health: '健康', state: '登记状态',
    heard: '最近联系',
    drift: '时钟偏差', firmware: '固件', held: '名单 / 票价版本', events: '未消除事件', never: '从未', gateways: '网关',
    gateway: '网关',
    reported: '最近上报', away: '失联', spool: '待上传', software: '软件', present: '在线', availability: '近 24 小时完好率',
    handled: '按时处理率', wanted: (version: string) => `应为 ${version}`,
    map: '分布图', placed: (some: string, all: string) => `${all} 台终端中 ${some} 台报告过位置：`, cut: '终端过多，仅画出一部分',
    one: (name: string) => `终端 ${name}`, kind: '种类', booted: '最近启动', boots: '启动次数', blacklist: '名单版本',
    tariff: '票价版本', where: '坐标', history: '事件', found: '发现时间', detail: '说明', lasts: '未消除', cleared: '已消除',
    dealtWith: '已处理', due: '处理期限', by: '处理人', handle: '登记处理', whatWasDone: '处理情况（至少 4 个字符）', all: '全部',
    healths: { intact: '完好', down: '停用', unknown: '未知' },
    states: { registered: '已登记', enrolled: '已入网', suspended: '暂停', retired: '退役' }
  },
  audit: {
    heading: '审计日志', seq: '序号', at: '时间', by: '操作人', action: '动作', subject: '对象', detail: '内容', hash: '哈希',
    check: '校验完整性', whole: (rows: string) => `完整：${rows} 行首尾相连`, broken: '链条断裂', from: '自', to: '至'
  },
  exports: {
    heading: '导出', what: '内容', date: '清分日', get: '下载', why: '每次导出及其行数都写入审计日志；卡号默认掩码。',
    kinds: {
      positions: '净额', statements: '对账单明细', transfers: '分录', records: '交易记录', items: '差错',
      'card-chain': '卡片链差异', supervision: '监察评分'
    },
    journal: '总账（hledger 日记账）'
  }
}
