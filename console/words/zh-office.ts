// Words about those who answer residents in Chinese; en-office.ts has the same ones.
import type { Grade } from '../../schemas/case.ts'
import type { documentKinds } from '../../schemas/holder.ts'
import type { Outcome } from '../../schemas/reasons.ts'
import type { TapeVerdict } from '../../schemas/tape-prediction.ts'

export const zhOffice = {
  calls: {
    heading: '呼叫中心', why: '先写明查询原因，每次查询连同原因写入审计日志。', reason: '查询原因', by: '查询方式',
    bys: { number: '卡号（至少末 6 位）', document: '证件', holder: '人员编号' },
    document: '证件种类', documentNumber: '证件号码', look: '查询', another: '下一位来电', none: '没有这样的卡',
    many: '请选择一张卡', lookAt: (number: string) => `查看卡片 ${number}`, person: '持卡人', nobody: '不记名或未登记',
    callBack: '回拨电话', online: '联机账户', uses: '最近 30 笔', said: '内容', report: '临时挂失（立即生效）',
    reported: '已临时挂失。', cases: '办事与投诉', noCases: '未登记持卡人，没有办事记录', more: '卡片详情',
    documents: {
      resident_id: '居民身份证', passport: '护照', residence_permit: '居留证件', birth_certificate: '出生证明'
    } satisfies Record<typeof documentKinds[number], string>
  },
  supervision: {
    heading: (quarter: string) => `电子监察：${quarter}`, quarter: '季度', score: '季度评分', office: '网点',
    city: '全市', now: '当前时限', open: '未办结', due: '临近期限', yellow: '黄牌', red: '红牌', cases: '到期件数',
    inTime: '按期办结', waiting: '尚未到期', points: '得分', grade: '等级', sum: '合计', urgent: '临近期限与逾期的事项',
    rule: (yellow: string, days: string, excellent: string, good: string, pass: string) =>
      `按期办结计 100 分，黄牌计 ${yellow} 分，逾期 ${days} 个工作日起为红牌、计 0 分；取平均，` +
      `${excellent} 分起优秀，${good} 分起良好，${pass} 分起合格。参数可配置。`,
    grades: { excellent: '优秀', good: '良好', pass: '合格', fail: '不合格' } satisfies Record<Grade, string>
  },
  statement: {
    open: '查看对账单', heading: (party: string, date: string) => `对账单：${party}，${date}`, line: '项目', count: '笔数',
    amount: '金额', settled: '应结金额（含前期结转）', sealed: '签封批次数', root: '默克尔根', key: '签名密钥', at: '签名时间'
  },
  tariffs: {
    heading: '票价', known: '现行与待生效的票价', version: '版本', from: '生效时间', services: '服务',
    preview: '试算：那一天会是多少', why: '按现行票价和所选票价重新计算已结束的一天，不写入任何数据。', source: '所选票价',
    text: '粘贴文本', file: '文件', ofVersion: (version: string) => `版本 ${version}`,
    ofProposal: (id: string) => `待复核申请 ${id}`, document: '票价文件（JSON）', day: '运营日', go: '试算',
    notJson: '不是 JSON 文本', result: (version: string, day: string) => `版本 ${version} 下的 ${day}`,
    cards: (count: string) => `计算了 ${count} 张卡。`, cut: '当日刷卡的卡过多，仅计算了一部分。',
    operator: '运营方', service: '服务', line: '线路', presentJourneys: '现行乘次', presentFen: '现行金额',
    proposedJourneys: '所选乘次', proposedFen: '所选金额', difference: '差额', unpriced: '无价刷卡', sum: '合计'
  },
  tapes: {
    heading: '报文回放', why: '按今天的规则重新判定每条记录，与账上的结果对照。不写入任何账务数据；每次回放写入审计日志。',
    source: '来源', text: '粘贴文本', file: '文件', name: '名称', tape: '消费文件、记录（JSON）或 POS 线路报文带',
    operator: '运营方（报文带未写明终端时）', terminal: '终端号', go: '回放', result: (name: string) => `结果：${name}`,
    records: '记录', same: '一致', differs: '不一致', notPosted: '账上没有', others: '其他报文', only: '只看不一致与账上没有的',
    line: '行', card: '卡号（已脱敏）', counter: '计数器', at: '交易时间', amount: '金额', predicted: '预测', posted: '账上',
    first: (said: string) => `当时应答：${said}`, verdict: '对照', look: (line: string) => `查看第 ${line} 行`,
    chosen: (line: string) => `第 ${line} 行`, side: '一方', kind: '种类', debit: '借方', credit: '贷方',
    moves: '资金变动', noMoves: '没有资金变动', bytes: '原始报文（卡号已脱敏）',
    outcomes: { accepted: '接受', held: '挂起', refused: '拒绝', excluded: '剔除' } satisfies Record<Outcome, string>,
    verdicts: { same: '一致', differs: '不一致', not_posted: '账上没有' } satisfies Record<TapeVerdict, string>
  }
}
