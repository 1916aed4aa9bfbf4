// All words of the residents' portal, Chinese first; English has the same ones, or does not compile.
import { useWords } from '../words/words.tsx'

type Widen<T> = {
  readonly [K in keyof T]: T[K] extends string ? string
    : T[K] extends (...args: infer A) => string ? (...args: A) => string : Widen<T[K]>
}

const zh = {
  title: '我的市民卡',
  pages: { cards: '我的卡', cases: '办事', account: '账号' },
  signIn: {
    heading: '登录', kind: '证件类型', number: '证件号码', password: '密码', go: '登录', first: '首次使用或忘记密码',
    firstWhy: '请携带证件到服务网点领取激活码，激活码七天内有效，只能使用一次。', code: '激活码', wanted: '新密码（至少 12 个字符）',
    activate: '设置密码', back: '返回登录', out: '退出登录',
    kinds: { resident_id: '居民身份证', passport: '护照', residence_permit: '居留证', birth_certificate: '出生医学证明' }
  },
  home: { hello: (name: string) => `${name}，您好`, none: '您名下没有卡。' },
  notices: {
    load_waiting: (yuan: string) => `有 ${yuan} 元待写入卡内，请到充值点写卡。`,
    refund_granted: (yuan: string, on: string) => `${on} 已退还 ${yuan} 元，下次写卡时到账。`,
    reported_lost: () => '该卡已挂失。',
    concession_ends: (_yuan: string, on: string) => `优惠资格将于 ${on} 到期，请及时年审。`,
    card_expires: (_yuan: string, on: string) => `卡片有效期至 ${on}，请在此前到网点换卡。`,
    card_expired: (_yuan: string, on: string) => `卡片已于 ${on} 到期，请到网点换卡，余额可转入新卡。`
  },
  card: {
    one: (number: string) => `卡片尾号 ${number}`, state: '状态', balance: '卡内余额（元）', asOf: '截至最后一笔记录',
    notYet: '尚无记录', waiting: '待写卡', online: '联机账户', uses: '最近使用', money: '余额与使用', journeys: '行程',
    validUntil: '卡片有效期至', services: '就医·图书·年卡', sections: '卡片内容', back: '返回我的卡',
    report: '临时挂失', reportWhy: '立即停用该卡并通知所有终端。请在期限内到网点办理正式挂失，否则到期自动解除。',
    reported: '已挂失。', lift: '解除临时挂失', liftWhy: '卡片找回后解除挂失，终端更新名单后即可使用。', lifted: '已解除挂失。'
  },
  journeys: {
    from: '从', until: '到', why: '计价说明', none: '这段时间没有行程。', due: '应付', paid: '实付', back: '将退还',
    kinds: { complete: '完整行程', open: '待出站', one_sided: '缺少出站', corrected: '已更正' }
  },
  services: {
    bills: '就医结算', noBills: '没有结算单。', total: '总费用', funds: '统筹等基金', account: '个人账户', purse: '市民卡', cash: '现金',
    hospital: '医院承担', takenBack: '已撤销', why: '结算说明', libraries: '图书馆', noLibraries: '没有借阅证。', owed: '欠费',
    deposit: '押金', dueOn: '应还', overdue: '已逾期', fine: '滞纳金', passes: '旅游年卡', noPasses: '没有年卡。',
    valid: (from: string, until: string) => `${from} 起，${until} 零时止`, begins: (on: string) => `未激活，${on} 自动生效`
  },
  cases: {
    heading: '办事', progress: '办理进度', none: '没有申请或投诉。', consult: '咨询与申请', complain: '我要投诉',
    filed: '已提交，可在“办事”中查看进度。',
    why: '情况说明（至少 10 个字符）', withdraw: '撤回', withdrawWhy: '撤回后可重新提交。', withdrawn: '已撤回。',
    stop: '下车站点', at: '下车时间', amount: '金额（元）', no: (no: number) => `编号 ${no}`,
    until: (on: string) => `将于 ${on} 前答复`,
    days: (days: number) => `${days} 个工作日内`,
    where: { missing_exit: '在卡片的“行程”中申请。', refund: '在卡片的“最近使用”中申请。', lift_loss: '在已挂失的卡片中申请。' },
    kinds: { missing_exit: '补登出站', refund: '申请退款', lift_loss: '解除正式挂失', complaint: '投诉' },
    states: {
      filed: '已受理', deciding: '审核中', granted: '已同意', refused: '未同意', answered: '已答复', withdrawn: '已撤回'
    }
  },
  account: {
    heading: '账号', data: '下载我的数据', password: '修改密码', old: '当前密码', wanted: '新密码（至少 12 个字符）', save: '保存',
    saved: '密码已修改，其他登录均已退出。'
  },
  erasure: {
    heading: '删除个人信息', ask: '申请删除', back: '撤回删除申请',
    why: (on: string) => `个人信息依法保存至 ${on}，届时自动匿名化；账务与行程以编号保留。`,
    held: '您名下仍有卡片，保存期限自最后一张卡停用起计算，日期会顺延。',
    asked: (at: string) => `已于 ${at} 登记删除申请，目前依法不能删除。`
  },
  receipt: {
    take: '交易凭证', check: '核验凭证', file: '凭证文件', checkWhy: '只在本页面核验，不上传，离线也可使用。',
    proven: '核验通过：该笔记录在已签名的账本中，签名时间', key: (id: string) => `签名密钥 ${id}，请与公布的密钥核对。`,
    faults: {
      unreadable: '不是本系统的凭证。', empty: '凭证中没有内容。', key: '核验未通过：密钥与所称不符。',
      signature: '核验未通过：签名错误。',
      batch: '核验未通过：内容不在所属批次中。',
      size: '核验未通过：不属于该签名。', head: '核验未通过：批次不在已签名的账本中。'
    }
  }
}
export type MyWords = Widen<typeof zh>

const en: MyWords = {
  title: 'My Citizen Card',
  pages: { cards: 'My cards', cases: 'Requests', account: 'Account' },
  signIn: {
    heading: 'Sign in', kind: 'Document', number: 'Number of the document', password: 'Password',
    go: 'Sign in',
    first: 'First time here, or password forgotten',
    firstWhy: 'Bring your document to a service hall for a code. It is good for seven days, and once.',
    code: 'Code', wanted: 'New password (12 characters or more)', activate: 'Set the password',
    back: 'Back to sign-in', out: 'Sign out',
    kinds: {
      resident_id: 'Identity card', passport: 'Passport', residence_permit: 'Residence permit',
      birth_certificate: 'Birth certificate'
    }
  },
  home: { hello: name => `Hello, ${name}`, none: 'There is no card in your name.' },
  notices: {
    load_waiting: yuan => `${yuan} yuan wait to be written to the card: go to a place that loads cards.`,
    refund_granted: (yuan, on) => `${yuan} yuan were given back on ${on}; they come with the next load.`,
    reported_lost: () => 'This card is reported lost.',
    concession_ends: (_yuan, on) => `The concession ends on ${on}: have it renewed in time.`,
    card_expires: (_yuan, on) => `The card is valid until ${on}: change it at a counter before.`,
    card_expired: (_yuan, on) => `The card expired on ${on}: change it at a counter, value included.`
  },
  card: {
    one: number => `Card ending in ${number}`, state: 'State', balance: 'On the card (yuan)',
    asOf: 'as of the last record', notYet: 'no record yet', waiting: 'Waits to be written',
    online: 'Online account', uses: 'Last uses', money: 'Money and uses', journeys: 'Journeys',
    validUntil: 'Valid until', services: 'Services', sections: 'Sections of the card',
    back: 'Back to my cards',
    report: 'Report it lost',
    reportWhy: 'The card is stopped at once, and all terminals are told. Report it formally at a counter ' +
      'in time, or this report lapses.',
    reported: 'Reported lost.', lift: 'I have found it',
    liftWhy: 'The report is lifted; the card works once terminals have the new list.',
    lifted: 'The report is lifted.'
  },
  journeys: {
    from: 'From', until: 'Until', why: 'Why this price', none: 'No journeys in this time.', due: 'Due',
    paid: 'Paid', back: 'Comes back',
    kinds: { complete: 'Whole', open: 'Exit awaited', one_sided: 'Exit missing', corrected: 'Corrected' }
  },
  services: {
    bills: 'Clinic bills', noBills: 'No bills.', total: 'Total', funds: 'Funds', account: 'Personal account',
    purse: 'Card', cash: 'Cash', hospital: 'Borne by the clinic', takenBack: 'Taken back',
    why: 'How it was settled', libraries: 'Libraries', noLibraries: 'You are no reader of a library.',
    owed: 'Owed', deposit: 'Deposit', dueOn: 'due', overdue: 'overdue', fine: 'fine', passes: 'Annual passes',
    noPasses: 'No annual pass.', valid: (from, until) => `from ${from} until the beginning of ${until}`,
    begins: on => `not begun; begins by itself on ${on}`
  },
  cases: {
    heading: 'Requests', progress: 'How they stand', none: 'You have asked for nothing.',
    consult: 'What you can ask for', complain: 'Complain',
    filed: 'It is filed: see Requests for how it stands.',
    why: 'What happened (10 characters or more)', withdraw: 'Take it back',
    withdrawWhy: 'It can be asked for again afterwards.', withdrawn: 'It is taken back.',
    stop: 'Where you got off', at: 'When you got off', amount: 'Amount (yuan)', no: no => `No. ${no}`,
    until: on => `to be answered by ${on}`, days: days => `within ${days} working days`,
    where: {
      missing_exit: 'Ask for it at the journey of your card.', refund: 'Ask for it at the use of your card.',
      lift_loss: 'Ask for it at the card that is reported lost.'
    },
    kinds: {
      missing_exit: 'A missing exit', refund: 'A refund', lift_loss: 'The loss report lifted',
      complaint: 'A complaint'
    },
    states: {
      filed: 'filed', deciding: 'being decided', granted: 'granted', refused: 'refused', answered: 'answered',
      withdrawn: 'taken back'
    }
  },
  account: {
    heading: 'Account', data: 'Take my data away', password: 'Change the password', old: 'Present password',
    wanted: 'New password (12 characters or more)', save: 'Save',
    saved: 'The password is changed; all other sessions have ended.'
  },
  erasure: {
    heading: 'Delete my personal data', ask: 'Ask for deletion', back: 'Take the request back',
    why: on => `The law keeps your data until ${on}; then they are made anonymous. The books and journeys ` +
      'stay under a number.',
    held: 'A card is still yours: the time begins when the last one ends, so the date moves.',
    asked: at => `Asked for on ${at}; the law does not allow it yet.`
  },
  receipt: {
    take: 'Receipt', check: 'Check a receipt', file: 'A receipt that you have kept',
    checkWhy: 'It is checked in this page alone and sent nowhere; no network is needed.',
    proven: 'It is proven: this is in the ledger as it was signed on',
    key: id => `Signed with key ${id}; compare it with the one the city has published.`,
    faults: {
      unreadable: 'That is no receipt of this system.', empty: 'Nothing stands in this receipt.',
      key: 'Not proven: the key is not the one that is named.',
      signature: 'Not proven: the signature is wrong.',
      batch: 'Not proven: what it says is not in its batch.',
      size: 'Not proven: it belongs to another signature.',
      head: 'Not proven: its batch is not in the signed ledger.'
    }
  }
}

export const useMy = (): MyWords => useWords().language === 'zh' ? zh : en
