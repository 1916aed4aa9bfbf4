// Words about those who answer residents in Chinese; en-office.ts has the same ones.
import type { documentKinds } from '../../schemas/holder.ts'

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
  }
}
