/* eslint-disable @stylistic/max-len -- a value of a table stays on one line with its name */
// Every hashed form, pinned: a verdict, a proof, a witness or an approval of years ago must still mean the
// same. The values were made by another program, support/golden-bytes.py, which shares no line with ours.
// A form that has to change gets a new number and a new row; no row here is ever edited.
import t from 'tap'
import { createHash, createPublicKey } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { canonicalAuditHead, canonicalHead } from '../schemas/api.ts'
import { bucketOf, contentHash, evidenceHash, eventContent, type TransactionRecord } from '../schemas/record.ts'
import { auditGenesis, auditHash } from '../ledger/core/audit-chain.ts'
import {
  batchLeaves, batchRoot, canonicalBatch, canonicalTransfer, commit, openLeaves, type CommittedBatch,
  type CommittedTransfer
} from '../ledger/core/commitment.ts'
import { contentOf, type BankStatement } from '../schemas/bank/statement.ts'
import {
  readConsumptionHeader, writeConsumptionFile, type ConsumptionHeader
} from '../schemas/clearing-file/consumption.ts'
import type { NationalBatch } from '../schemas/national.ts'
import { estateDigest, estateLine, type EnrolledTerminal } from '../schemas/terminals.ts'
import { clearedDigest, positionsDigest, type PartyCharge } from '../ledger/core/day.ts'
import {
  adjustmentsDigest, canonicalJson, itemsDigest, type CommittedAdjustment, type CommittedItems,
  type CommittedLine
} from '../ledger/core/items.ts'
import { batchBytes } from '../ledger/core/national.ts'
import { fileDigest } from '../ledger/intake/stage.ts'
import { listDigest } from '../ledger/parameters/parameters.ts'
import { noteOf, notesDigest, noted } from '../ledger/core/notes.ts'
import { batchLeaf, batchLeafText, openSigner, verifyHead } from '../ledger/proof/seal.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

/* ---- an event ---- */

const record: TransactionRecord = {
  card: { issuer: '02313750FFFFFFFF', serial: '03104990600000000016', issue: 1 }, purse: 'ep', type: '06',
  counter: 101, balanceBeforeFen: 5_000, amountFen: 180, psam: '990000000001', sequence: 1_001,
  dateTime: '20260302083015', tac: 'ABCDEF01', grey: false, keyVersion: 1, algorithm: 0, operator: 'BUS',
  terminal: 'B1', recordNo: 1
}

/* ---- a batch ---- */

const transfer: CommittedTransfer = {
  bucket: 9, transferId: 7340033n, journalId: 7340032n, clearingDate: '2026-03-02', code: 10, book: 'commerce',
  debit: 3, credit: 41, amountFen: 180n, cardId: 17n, eventAtMs: 1772411415000, deliveryNo: 5n, lineNo: 2,
  corrects: null
}
const correction: CommittedTransfer = {
  ...transfer, transferId: 7340034n, cardId: null, deliveryNo: null, lineNo: null, corrects: 99n
}
const batch: CommittedBatch = {
  form: 2, salt: Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'), batchId: 7n,
  clearingDate: '2026-03-02', kind: 'records', createdAtMs: 1772411416000, deliveryNo: 5n, items: 3,
  deliveryDigest: sha256('delivery'), itemsDigest: sha256('items'), transfers: [transfer, correction]
}
const old: CommittedBatch = { ...batch, form: 1 }
const empty: CommittedBatch = {
  ...batch, batchId: 8n, kind: 'clearing', deliveryNo: null, items: 0, deliveryDigest: null,
  itemsDigest: null, transfers: []
}

/* ---- what a delivery wrote besides money ---- */

const claim: CommittedLine = {
  kind: 'claim', bucket: 9, cardId: 17n, purse: 2, counter: 101, type: 6, amountFen: 180n,
  balanceBeforeFen: 5_000n, psamId: 3, sequence: 1_001n, terminalId: 4, eventAtMs: 1772411415000,
  content: contentHash(record), outcome: 0, reason: 0, findings: null, lineNo: 1
}
const grey: CommittedLine = {
  ...claim, kind: 1, counter: 102, balanceBeforeFen: 4_820n, sequence: 1_002n, eventAtMs: 1772411475000,
  outcome: 1, reason: 10, findings: [10, 14], lineNo: 2, digest: sha256('digest'), tacValid: false
}
const unreadable: CommittedLine = {
  kind: 4, bucket: 0, cardId: null, purse: null, counter: null, type: null, amountFen: null,
  balanceBeforeFen: null, psamId: null, sequence: null, terminalId: null, eventAtMs: null, content: null,
  outcome: 2, reason: 20, findings: null, lineNo: 3, digest: sha256('other'), tacValid: true
}
const items: CommittedItems = {
  delivery: {
    deliveryNo: 5n, kind: 'json', source: 'GW1', externalId: 'monday-1', digest: sha256('delivery'),
    receivedAtMs: 1772411416000, lines: 3, distinct: 2, clearingDate: '2026-03-02',
    answer: { reasons: [0, 10, 20], outcomes: [0, 1, 2], replayed: [], details: { 2: '/card: 卡' } }
  },
  lines: [unreadable, grey, claim], // in whatever order: the digest puts them in theirs
  adjustments: [{
    bucket: 9, deliveryNo: 4n, lineNo: 9, cardId: 17n, outcome: 2, reason: 33, findings: [33],
    amountFen: -180n
  }]
}

/** As the database gives it, its columns in whatever order. */
const block = {
  state: 1, bucket: 9, card_id: 17n, client_id: 'GW1', key: 'block-0001', operator: 'BUS', terminal: 'B1', form: 0,
  challenge: Buffer.from('C0FFEE01', 'hex'), listed_for: '挂失', requested_at: 1772411415000, decided_at: null
}

/* ---- positions and audit rows ---- */

const noLoads = { loadCommissionFen: 0n, adjustmentsFen: 0n, book: 'commerce' as const }
const positions = [
  { ...noLoads, party: 'ISS', claimsFen: -2_160_000n, commissionFen: -6_480n, loadsFen: -1_000_000n, netFen: -1_153_520n },
  { ...noLoads, party: 'BUS', claimsFen: 2_160_000n, commissionFen: 6_480n, loadsFen: 1_000_000n, netFen: 1_153_520n }
]
const charge: PartyCharge = {
  book: 'commerce', party: 'SHP', product: 'load', baseFen: 1_000_000n, ratePpm: 2_000, commissionFen: 2_000n
}
const charges: PartyCharge[] = [ // in whatever order, as the positions
  { book: 'medical', party: 'HOS', product: '卡', baseFen: 100n, ratePpm: 0, commissionFen: 0n }, charge,
  { book: 'commerce', party: 'BUS', product: 'debit', baseFen: 2_160_000n, ratePpm: 3_000, commissionFen: 6_480n }
]
const adjusted: CommittedAdjustment[] = [
  { bucket: 1, deliveryNo: 12n, lineNo: 9, cardId: 17n, outcome: 1, reason: 10, findings: [10, 14], amountFen: 5n },
  { bucket: 0, deliveryNo: 4n, lineNo: 10, cardId: null, outcome: 0, reason: 0, findings: null, amountFen: 0n },
  ...items.adjustments
]

/* ---- files, lists and batches that others hold too ---- */

const file = writeConsumptionFile({ date: '20260302', industry: '02', merchant: '430400000000002', sequence: 1 },
  ['00000001' + '7'.repeat(194), '00000002' + '8'.repeat(194)], 'LFCR')
const fileHeader = readConsumptionHeader(Buffer.from(file.text)) as ConsumptionHeader
const listed = [{ ...record.card, serial: '03104990600000000024', issue: 12 }, record.card]
const enrolled: EnrolledTerminal = {
  operator: 'BUS', terminal: 'B1', state: 'enrolled', kind: 'bus', place: '南华大学', gateway: 'GW1',
  firmware: '1.4', heartbeatSeconds: 60, certificates: ['CD'.repeat(32), 'EF'.repeat(32)],
  keys: { name: 'b1', check: 'A1B2C3', wrapped: `sm4.${'0A'.repeat(12)}.${'0B'.repeat(32)}` }
}
const estate: EnrolledTerminal[] = [{
  operator: 'LIB', terminal: 'K1', state: 'registered', kind: 'self-check', place: '', gateway: null,
  firmware: null, keys: null, heartbeatSeconds: 300
}, enrolled]
const estateOf = (all: readonly EnrolledTerminal[]): string => estateDigest(all.map(estateLine))
const entry: NationalBatch['entries'][number] = { kind: 'claim', claim: '7340033', amountFen: 180, record }
const national: NationalBatch = {
  entries: [entry, { record, amountFen: 180, claim: '99', kind: 'withdrawal' }],
  clearingDate: '2026-03-02', centre: 'NAT', batch: '20260302-NAT-1'
}
const nationalDigest = (one: NationalBatch): string =>
  hex(createHash('sha256').update(batchBytes(one)).digest())
const statement: BankStatement = {
  account: '6222', id: 'S-1', sequence: 7, fromDate: '2026-03-02', toDate: '2026-03-03', openingFen: 1_000n,
  closingFen: 995n,
  lines: [{
    reference: 'R1', bookedOn: '2026-03-02', amountFen: -5n, endToEndId: '20260302-commerce-BUS',
    returnReason: null, counterparty: '6200', counterpartyName: '公交', text: 'not told by every format'
  }, {
    reference: null, bookedOn: '2026-03-03', amountFen: 0n, endToEndId: null, returnReason: 'AC04',
    counterparty: null, counterpartyName: null, text: ''
  }]
}

const deed = {
  seq: 1n, atMs: 1772411415000, by: '张三', action: 'day.close', subject: 'day/2026-03-02', detail: '{}'
}
const audit1 = auditHash(auditGenesis, deed)
const audit2 = auditHash(audit1, {
  ...deed, seq: 2n, atMs: 1772411416000, by: 'approver-1', action: 'day.approve', detail: '{"a":"\\u0001"}'
})

/** First secret key of RFC 8032, 7.1, as PKCS #8. */
const pem = '-----BEGIN PRIVATE KEY-----\n' + Buffer.from('302e020100300506032b657004220420' +
  '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex').toString('base64') +
  '\n-----END PRIVATE KEY-----\n'
const folder = mkdtempSync(join(tmpdir(), 'golden-'))
t.teardown(() => rmSync(folder, { recursive: true }))
writeFileSync(join(folder, 'key.pem'), pem)
const signer = openSigner(join(folder, 'key.pem'))
const head = {
  size: 7, root: 'AB'.repeat(32), at: '2026-03-02T08:30:15.000+08:00', keyId: signer.keyId
}

const auditHead = { rows: 12, hash: 'CD'.repeat(32) }

t.test('golden bytes', async t => {
  const leaves = [...batchLeaves(old), ...batchLeaves(batch)].map(hex)
  for (const [form, value, golden] of [
    ['content of an event', hex(contentHash(record)), '41cac25a5688ce46d425856cde1d4cd7995c12416900a7a64cf0db000a7d18d2'],
    ['evidence, signed', hex(evidenceHash(record)), '12e08f2c558a41e7e35b98590bcc043c4e6894d15228e1327a21ae2a9222eae9'],
    ['evidence, grey', hex(evidenceHash({ ...record, tac: null, grey: true })), 'eb9831e2f050628fb317fd2215bac26d236629999c6e3fd08a483c49eb94582e'],
    ['bucket of a card', String(bucketOf(record.card)), '63'],
    ['batch header, form 1', leaves[0], 'e3ee50b6c92e57eea14a840e62f3fdd2bdf3bbd4fdb30901f7eb860cd3bb6c83'],
    ['transfer, form 1', leaves[1], 'fec34280f3288c03d52cb1aadeaad5c09fb6b8eea8481b8bf71e2354238e18cd'],
    ['correction, form 1', leaves[2], 'd9b81d8cc73853dc21ff893cca6aa0a7ae5ed9eb6f3dc23a128ec3cb858c8727'],
    ['batch root, form 1', hex(batchRoot(old)), 'ec3d4040272e80e3c492327b01f4b2c2c1802ed34ea84472fa3dc0943ec1ac07'],
    ['batch header, form 2', leaves[3], '7522e1f4a190de71af4a1d0562fe873dcec6364d38a13e8893321090e07badce'],
    ['transfer, form 2', leaves[4], '293f55de68e002e8ddc1870570f94fefc12e54ef82903a8fccaf977ee5413822'],
    ['correction, form 2', leaves[5], 'cc151e3b2b32df8bb40d09bcb1b4e39e3bf13b9083659c1fd8f53e7fefc337ca'],
    ['batch root, form 2', hex(batchRoot(batch)), 'f694aabb01357b7a612d2d81ede7e5b1e285c7a0c05824f9889776e1abfa4b2c'],
    ['batch root, no transfers', hex(batchRoot(empty)), '034152d042cad6fcad055d69e80f43f0dd40afebeb4b1e4564d985655a724f01'],
    ['batch in the tree', hex(batchLeaf({ batchId: 7n, date: '2026-03-02', root: Buffer.alloc(32, 1) })), '514b1b71d69bb3f6cca3fabaf80cca45fdf658177fe81599f32427924b90faa5'],
    ['id of a key', signer.keyId, '06E3FD8F'],
    ['signed head', hex(createHash('sha256').update(canonicalHead(head)).digest()), 'b0bce81b4357ce7d4526003c809efcb9b2a87d9a5ee6e80283243b3604c99abc'],
    ['signature of a head', signer.sign(head).toLowerCase(), '4801b7441fc5902438206944b85b5d1e742564dc4e397574c29c4d22ae566737503fa120b33719ff0204e814f014b46b41e9f29b7e0985d949f9d6507048fb02'],
    ['audit log under a head', hex(createHash('sha256').update(canonicalAuditHead(head, auditHead)).digest()), 'dbc9bc4585c9d374f320bb56b20363cb23621b2867a26007beaf20d6cd4b547f'],
    ['signature of the audit log', signer.signAudit(head, auditHead).toLowerCase(), '402b0207a56d52e271122d1aebaa20499c9ab7602918bebfca4f3f96a6800aad50c25c39d8a39a73aa97024a27bddc4e00c22aac0e18b15d78e531951c662709'],
    ['positions of a day', hex(positionsDigest('2026-03-02', positions)), '6eeddc1ba743ece3fab63743108e5ad9aeac9914f626e393ff05c9eaf7fe396c'],
    ['first audit row', hex(audit1), 'f61b5781ad1570893bde73062e2f6e458346b287f07997c565af46bf8176492c'],
    ['second audit row', hex(audit2), '24aa389f1407f0cd84439ce2edd3c12b99c51f1f23bba9e94ba39c9664d0486a'],
    ['note of a row', hex(noteOf('card_block', block)), '45335250ef21169fdb8b6fd5095569f4bb044a424765f8471336af1e632cc863'],
    ['notes of a batch', hex(notesDigest('card_block', noteOf('card_block', block))), '093b623877e8fb4aec2cc15d8b2fa42e0782a6dd7f104ffb8ba3bf47b3dc4221'],
    ['a cleared day', hex(clearedDigest(positionsDigest('2026-03-02', positions), charges)), '568ecafb02e275d5f5d0ab7169d0624d3ef6f18623a4609acd81fe73f5f79812'],
    ['verdicts that changed', hex(adjustmentsDigest(adjusted)), '3f75f66570faadf8d2f6b53f0422581d9bfdcdac229f213f7d28bc7edd636c65'],
    ['records of a file', fileHeader.digest, 'BF86B777A13B2E7FA34B596BBAF32EA188C8CDC5AD66022586162FFD2BBF85BA'],
    ['a consumption file', hex(fileDigest({ header: fileHeader })), '1158a8471c7cf3030a0fa0e3bd55d462cefcedee8ba657ada8500e210b5efe3a'],
    ['the blacklist', hex(listDigest(listed)), 'f3cf9c7ca4bfbe24a36a81f532e6ca351804df5d5b17c7d40b0479b76aa2dc07'],
    ['the list of terminals', estateOf(estate), '3B0A2895CF4F72D7CB33811A0A30A790BC1E1E58C82213B8489115BF915C927E'],
    ['a batch for the national centre', nationalDigest(national), '0b1359583e8059312d934f8f922d58392f300d497577c26bf66038e9fe5d0f54'],
    ['a bank statement', hex(contentOf(statement)), 'f62b95ee2bd52adfab3d1bd80ecc58f14930ec6d449c775c368a9920f4e558eb'],
    ['rows of a delivery', hex(itemsDigest(items)), 'ba30029f7cb7e3f36543a51a6ef65dca3ead0ab714dd7b294a73d919c59e5fa7']
  ] as const) t.equal(value, golden, form)
})

t.test('the texts that are hashed, as a reader of a proof sees them', async t => {
  t.equal(hex(eventContent(record)),
    '02313750ffffffff031049906000000000160102000000006506000000b4990000000001000003e920260302083015')
  t.equal(canonicalTransfer(transfer),
    'transfer|2|9|7340033|7340032|2026-03-02|10|commerce|3|41|180|17|1772411415000|5|2|-')
  t.equal(canonicalTransfer(transfer, 1),
    'transfer|1|7340033|7340032|2026-03-02|10|commerce|3|41|180|17|1772411415000|5|2|-')
  t.equal(canonicalBatch(batch), `batch|2|7|2026-03-02|2|${hex(sha256('delivery'))}|records|1772411416000|5|3|` +
    hex(sha256('items')))
  t.equal(batchLeafText({ batchId: 7n, date: '2026-03-02', root: Buffer.alloc(32, 1) }),
    `sealed|1|7|2026-03-02|${'01'.repeat(32)}`)
  t.equal(canonicalJson({ b: [1, { d: null, c: '卡' }], a: undefined, 10: 1, 9: true }),
    '{"10":1,"9":true,"b":[1,{"c":"卡","d":null}]}')
})

t.test('a column that came later leaves the notes of before as they were', async t => {
  const row = Object.fromEntries(noted.load.map((column, place) => [column, place]))
  const places = Object.values(row).join(',')
  const ofBefore = hex(sha256(`["note",1,"load",${places}]`))
  t.equal(hex(noteOf('load', row)), ofBefore)
  t.equal(hex(noteOf('load', { ...row, rule: null })), ofBefore)
  t.equal(hex(noteOf('load', { ...row, rule: 'at most' })),
    hex(sha256(`["note",1,"load",${places},["rule","at most"]]`)))
})

/** `value` with each of its fields changed, by name. */
function * everyChange<T extends object> (value: T): Generator<[string, T]> {
  for (const [field, was] of Object.entries(value)) yield [field, { ...value, [field]: another(field, was) }]
}
function another (field: string, was: unknown): unknown {
  if (was === null) return field === 'content' ? Buffer.alloc(32) : 1n
  if (typeof was === 'number') return was + 1
  if (typeof was === 'bigint') return was + 1n
  if (typeof was === 'boolean') return !was
  return was instanceof Uint8Array ? flipped(was) : `${String(was)}x`
}
const flipped = (bytes: Uint8Array): Buffer => {
  const copy = Buffer.from(bytes)
  copy[copy.length - 1] = (copy[copy.length - 1] ?? 0) ^ 1
  return copy
}

t.test('every field of a batch, a transfer and a verdict row moves its digest', async t => {
  const root = hex(batchRoot(batch))
  const { form: _, ...fields } = batch
  for (const [field, change] of everyChange(fields)) {
    if (field !== 'transfers') t.not(hex(batchRoot({ ...change, form: 2 })), root, `batch ${field}`)
  }
  for (const [field, change] of everyChange(transfer)) {
    t.not(hex(batchRoot({ ...batch, transfers: [change, correction] })), root, `transfer ${field}`)
  }
  t.not(hex(batchRoot({ ...batch, transfers: [correction, transfer] })), root, 'order of the transfers')
  t.not(hex(batchRoot(old)), root, 'the form')
  const digest = hex(itemsDigest(items))
  const changed = (more: Partial<CommittedItems>) => hex(itemsDigest({ ...items, ...more }))
  for (const [field, delivery] of everyChange(items.delivery)) t.not(changed({ delivery }), digest, field)
  for (const line of [claim, grey, unreadable]) {
    for (const [field, change] of everyChange(line)) {
      if (field === 'kind' && line === claim) continue
      t.not(changed({ lines: items.lines.map(one => one === line ? change : one) }), digest, `line ${field}`)
    }
  }
  for (const one of items.adjustments) {
    for (const [field, change] of everyChange(one)) {
      t.not(changed({ adjustments: [change] }), digest, `adjustment ${field}`)
    }
  }
  const noteOfBlock = hex(noteOf('card_block', block))
  for (const [field, change] of everyChange(block)) t.not(hex(noteOf('card_block', change)), noteOfBlock, field)
  t.strictSame(Object.keys(block).sort(), [...noted.card_block].sort(), 'each column is noted')
  const [, first, second] = openLeaves(batch)
  t.notSame(first?.salt, second?.salt, 'each leaf has its own salt')
  t.equal(hex(commit(first as NonNullable<typeof first>)), hex(batchLeaves(batch)[1] as Uint8Array))
})

t.test('every field of a day, a list and a batch for others moves its digest', async t => {
  const cleared = (over: string, some: readonly PartyCharge[]) =>
    hex(clearedDigest(Buffer.from(over, 'hex'), some))
  t.not(cleared('00', charges), cleared('01', charges), 'the positions')
  for (const [field, change] of everyChange(charge)) t.not(cleared('00', [change]), cleared('00', [charge]), field)
  for (const [field, change] of everyChange(adjusted[0] as CommittedAdjustment)) {
    t.not(hex(adjustmentsDigest([change])), hex(adjustmentsDigest(adjusted.slice(0, 1))), `adjustment ${field}`)
  }
  for (const [field, header] of everyChange(fileHeader)) {
    t.not(hex(fileDigest({ header })), hex(fileDigest({ header: fileHeader })), `file ${field}`)
  }
  for (const [field, change] of everyChange(record.card)) {
    t.not(hex(listDigest([change])), hex(listDigest([record.card])), `card ${field}`)
  }
  const { keys, certificates = [], ...plain } = enrolled
  for (const [field, change] of everyChange(plain)) {
    t.not(estateOf([{ ...change, keys, certificates }]), estateOf([enrolled]), `terminal ${field}`)
  }
  t.not(estateOf([{ ...enrolled, certificates: certificates.slice(1) }]), estateOf([enrolled]), 'certificates')
  for (const [field, change] of everyChange(keys as object)) {
    t.not(estateOf([{ ...enrolled, keys: change as typeof keys }]), estateOf([enrolled]), `keys ${field}`)
  }
  t.not(estateOf([enrolled]), estateOf(estate), 'one terminal less')
  const { entries, ...about } = national
  for (const [field, change] of everyChange(about)) {
    t.not(nationalDigest({ ...change, entries }), nationalDigest(national), `batch ${field}`)
  }
  for (const [field, change] of everyChange(entry)) {
    t.not(nationalDigest({ ...about, entries: [change] }), nationalDigest({ ...about, entries: [entry] }), field)
  }
  const { lines, sequence: _, ...said } = statement
  for (const [field, change] of everyChange(said)) {
    t.not(hex(contentOf({ ...statement, ...change })), hex(contentOf(statement)), `statement ${field}`)
  }
  t.not(hex(contentOf({ ...statement, lines: lines.slice(0, 1) })), hex(contentOf(statement)), 'its lines')
})

t.test('a head is signed by its key alone', async t => {
  const signed = { ...head, signature: signer.sign(head) }
  t.equal(hex(createPublicKey(signer.publicKeyPem).export({ type: 'spki', format: 'der' }).subarray(12)),
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'the public key of RFC 8032')
  t.ok(verifyHead(signed, signer.publicKeyPem))
  for (const [field, change] of everyChange(signed)) {
    const other = field === 'signature' ? { ...signed, signature: signed.signature.replace(/^./, '5') } : change
    t.notOk(verifyHead(other, signer.publicKeyPem), field)
  }
  const both = { ...signed, audit: { ...auditHead, signature: signer.signAudit(head, auditHead) } }
  t.ok(verifyHead(both, signer.publicKeyPem))
  for (const [field, audit] of [...everyChange(auditHead), ['signature', { signature: signed.signature }]] as const) {
    t.notOk(verifyHead({ ...both, audit: { ...both.audit, ...audit } }, signer.publicKeyPem), `audit ${field}`)
  }
})
