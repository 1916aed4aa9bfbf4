// What the ledger says in fixed English sentences, in Chinese. What is not listed stays as the ledger says
// it.
const sentences: readonly (readonly [RegExp, string])[] = [
  [/^approvals: (\d+) more of these positions needed$/, '复核：还需 $1 人复核净额'],
  [/^bank: (\S+) is not confirmed$/, '银行：指令 $1 尚未到账'],
  [/^bank: (\S+) is (\w+) and not replaced$/, '银行：指令 $1 状态为 $2，尚未重发'],
  [/^float: (.*)$/, '备付金不平：$1'],
  [/^books sum to zero$/, '各账簿借贷平衡'],
  [/^accounts equal their transfers$/, '科目余额与分录一致'],
  [/^purses equal their control account$/, '钱包合计与总账一致'],
  [/^guarded balances equal their accounts$/, '受控余额与科目一致'],
  [/^batches equal what they declared$/, '批次与其申报一致'],
  [/^every distinct line has one verdict$/, '每条记录均有唯一判定'],
  [/^every batch is in the tree$/, '每个批次均已入树'],
  [/^general ledger equals its sub-ledgers$/, '总账与明细账一致'],
  [/^(\d+) records are missing$/, '缺 $1 条记录'],
  [/^no party has told its position$/, '没有参与方报送头寸'],
  [/^(\d+) purses: chips (-?\d+) fen, shadows (-?\d+) fen, (\d+) differ, (\d+) of them with a reason$/,
    '$1 个钱包：卡内 $2 分，账上 $3 分，$4 个不同，其中 $5 个有原因'],
  [/^somebody owes in every book$/, '每个账簿均有承担方'],
  [/^net positions sum to zero$/, '净额合计为零']
]

export function inChinese (said: string): string | null {
  const found = sentences.find(([pattern]) => pattern.test(said))
  return found === undefined ? null : said.replace(...found)
}
