# The other road to the values of test/golden-bytes.test.ts: every hashed form written out by hand from its
# description, hashed with Python's own library. Run it after a form was given a new number on purpose:
#   python3 test/support/golden-bytes.py
# The signature is made by openssl: pkeyutl -sign -rawin, with the first secret key of RFC 8032, 7.1.
import base64, hashlib, json, subprocess, tempfile, os

sha = lambda b: hashlib.sha256(b).digest()
leaf = lambda b: sha(b'\x00' + b)
node = lambda l, r: sha(b'\x01' + l + r)
show = lambda name, value: print(f"{name:28} {value.hex() if isinstance(value, bytes) else value}")

# content of an event: 47 bytes
content = bytes.fromhex(
    '02313750FFFFFFFF' '03104990600000000016' '01' '02' '00' '00000065' '06' '000000B4' '990000000001'
    '000003E9' '20260302083015')
show('content', sha(content))
show('evidence, signed', sha(content + b'ABCDEF01' + b'\x00'))
show('evidence, grey', sha(content + b'' + b'\x01'))
show('bucket', str(1 + int.from_bytes(sha(b'02313750FFFFFFFF' + b'03104990600000000016')[:4], 'big') % 63))

# a batch of two transfers
delivered = sha(b'delivery')
items = sha(b'items')
salt = bytes(range(16))
one2 = 'transfer|2|9|7340033|7340032|2026-03-02|10|commerce|3|41|180|17|1772411415000|5|2|-'
two2 = 'transfer|2|9|7340034|7340032|2026-03-02|10|commerce|3|41|180|-|1772411415000|-|-|99'
head2 = f'batch|2|7|2026-03-02|2|{delivered.hex()}|records|1772411416000|5|3|{items.hex()}'
one1 = 'transfer|1|7340033|7340032|2026-03-02|10|commerce|3|41|180|17|1772411415000|5|2|-'
two1 = 'transfer|1|7340034|7340032|2026-03-02|10|commerce|3|41|180|-|1772411415000|-|-|99'
head1 = f'batch|1|7|2026-03-02|2|{delivered.hex()}'
salts = lambda n: hashlib.shake_256(salt).digest(16 * n)
def leaves(*texts):
    s = salts(len(texts))
    return [leaf(s[16 * i:16 * i + 16] + t.encode()) for i, t in enumerate(texts)]
for form, texts in ((1, (head1, one1, two1)), (2, (head2, one2, two2))):
    l = leaves(*texts)
    for i, h in enumerate(l): show(f'leaf {i}, form {form}', h)
    show(f'batch root, form {form}', node(node(l[0], l[1]), l[2]))
show('batch root, empty', leaves(f'batch|2|8|2026-03-02|0|-|clearing|1772411416000|-|0|-')[0])
show('batch leaf', leaf(f"sealed|1|7|2026-03-02|{'01' * 32}".encode()))

# a signed head
root = 'AB' * 32
der = bytes.fromhex('302e020100300506032b657004220420') + bytes.fromhex(
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60')
with tempfile.TemporaryDirectory() as d:
    key, msg = os.path.join(d, 'key.pem'), os.path.join(d, 'head')
    open(key, 'w').write('-----BEGIN PRIVATE KEY-----\n' + base64.b64encode(der).decode() + '\n-----END PRIVATE KEY-----\n')
    spki = subprocess.run(['openssl', 'pkey', '-in', key, '-pubout', '-outform', 'DER'], capture_output=True, check=True).stdout
    key_id = sha(spki)[:4].hex().upper()
    head = f'citizen-card-head v1\n7\n{root}\n2026-03-02T08:30:15.000+08:00\n{key_id}\n'.encode()
    audit_head = f"citizen-card-audit v1\n12\n{'CD' * 32}\n7\n{root}\n2026-03-02T08:30:15.000+08:00\n{key_id}\n".encode()
    open(msg, 'wb').write(audit_head)
    audit_signature = subprocess.run(['openssl', 'pkeyutl', '-sign', '-inkey', key, '-rawin', '-in', msg], capture_output=True, check=True).stdout
    open(msg, 'wb').write(head)
    signature = subprocess.run(['openssl', 'pkeyutl', '-sign', '-inkey', key, '-rawin', '-in', msg], capture_output=True, check=True).stdout
show('key id', key_id)
show('head', sha(head))
show('signature', signature)
show('audit head', sha(audit_head))
show('audit signature', audit_signature)

# positions of a day
show('positions', sha('\n'.join([
    'positions|1|2026-03-02', 'commerce|BUS|2160000|6480|1000000|0|0|1153520',
    'commerce|ISS|-2160000|-6480|-1000000|0|0|-1153520']).encode()))

# audit rows: the hash before, then a JSON array without blanks
pack = lambda row: json.dumps(row, separators=(',', ':'), ensure_ascii=False).encode()
first = sha(bytes(32) + pack(['audit', 1, '1', 1772411415000, '张三', 'day.close', 'day/2026-03-02', '{}']))
second = sha(first + pack(['audit', 1, '2', 1772411416000, 'approver-1', 'day.approve', 'day/2026-03-02', '{"a":"\\u0001"}']))
show('audit 1', first)
show('audit 2', second)

# what a delivery wrote besides money
delivery = pack(['delivery', 1, '5', 'json', 'GW1', 'monday-1', delivered.hex(), 1772411416000, 3, 2, '2026-03-02'])
answer = b'{"details":{"2":"/card: \xe5\x8d\xa1"},"outcomes":[0,1,2],"reasons":[0,10,20],"replayed":[]}'
claim = f'\nline|1|1|claim|9|17|2|101|6|180|5000|3|1001|4|1772411415000|{sha(content).hex()}|0|0|null'
grey = f'\nline|1|2|1|9|17|2|102|6|180|4820|3|1002|4|1772411475000|{sha(content).hex()}|1|10|10,14|{sha(b"digest").hex()}|false'
proof = f'\nline|1|3|4|0|null|null|null|null|null|null|null|null|null|null|null|2|20|null|{sha(b"other").hex()}|true'
changed = '\nadjustment|1|4|9|9|17|2|33|33|-180'
show('items', sha(delivery + answer + (claim + grey + proof + changed).encode()))

# a row beside money, and the notes of its batch
row = sha(pack(['note', 1, 'card_block', 9, '17', 'GW1', 'block-0001', 'BUS', 'B1', 0, 'c0ffee01', '挂失', 1, 1772411415000, None]))
show('note', row)
show('notes', sha(b'notes|1|card_block|' + row))

# a cleared day: the positions as people approve them, then the commission by book, party and product
positions = sha('\n'.join([
    'positions|1|2026-03-02', 'commerce|BUS|2160000|6480|1000000|0|0|1153520',
    'commerce|ISS|-2160000|-6480|-1000000|0|0|-1153520']).encode())
show('cleared day', sha('\n'.join([
    f'cleared|1|{positions.hex()}', 'commerce|BUS|debit|2160000|3000|6480',
    'commerce|SHP|load|1000000|2000|2000', 'medical|HOS|卡|100|0|0']).encode()))

# verdicts that changed without a delivery
show('adjustments', sha(b'adjustments|1\nadjustment|1|4|9|9|17|2|33|33|-180'
                        b'\nadjustment|1|4|10|0|null|0|0|null|0\nadjustment|1|12|9|1|17|1|10|10,14|5'))

# the instructions of one run; times in microseconds, what is not there 0
show('instructions', sha('\n'.join([
    'instruction|1|20260302-commerce-BUS|2026-03-02|1|2026-03-03|7|commerce|pay|538|1772499600123000|3|11|12',
    'instruction|1|20260302-commerce-SHP|2026-03-02|1|2026-03-03|9|commerce|collect|5000|1772499600123000|0|0|0'
]).encode()))

# a consumption file: its records without line ends, and its header as JSON
lines = [b'00000001' + b'7' * 194, b'00000002' + b'8' * 194]
total = sum(int(line[8 + 15 + 8 + 20 + 2 + 2 + 8 * 3 + 6 + 10 + 8:][:8]) for line in lines)
records = sha(b''.join(lines)).hex().upper()
show('records of a file', records)
show('file', sha(pack({
    'type': 'XF', 'industry': '02', 'merchant': '430400000000002', 'date': '20260302', 'sequence': 1, 'count': 2,
    'totalFen': total, 'recordLength': 202, 'digest': records})))

# lists that gateways hold
show('blacklist', sha(b'02313750FFFFFFFF-03104990600000000016-1\n02313750FFFFFFFF-03104990600000000024-12'))
show('estate', sha('\n'.join([
    '\t'.join(['BUS/B1', 'enrolled', 'bus', '南华大学', 'GW1', '1.4', 'b1', 'A1B2C3', '60',
               'sm4.' + '0A' * 12 + '.' + '0B' * 32, 'certificates ' + 'CD' * 32 + ' ' + 'EF' * 32]),
    '\t'.join(['LIB/K1', 'registered', 'self-check', '', '', '', '', '', '300'])]).encode()).hex().upper())

# a batch for the national centre: these bytes
entry = lambda kind, claim: {'kind': kind, 'claim': claim, 'amountFen': 180, 'record': {
    'card': {'issuer': '02313750FFFFFFFF', 'serial': '03104990600000000016', 'issue': 1}, 'purse': 'ep',
    'type': '06', 'counter': 101, 'balanceBeforeFen': 5000, 'amountFen': 180, 'psam': '990000000001',
    'sequence': 1001, 'dateTime': '20260302083015', 'tac': 'ABCDEF01', 'grey': False, 'keyVersion': 1,
    'algorithm': 0, 'operator': 'BUS', 'terminal': 'B1', 'recordNo': 1}}
show('national batch', sha(pack({
    'batch': '20260302-NAT-1', 'centre': 'NAT', 'clearingDate': '2026-03-02',
    'entries': [entry('claim', '7340033'), entry('withdrawal', '99')]})))

# a bank statement, whatever its format
show('bank statement', sha(pack([
    ['6222', 'S-1', '2026-03-02', '2026-03-03', '1000', '995'],
    ['R1', '2026-03-02', '-5', '20260302-commerce-BUS', None, '6200'],
    [None, '2026-03-03', '0', None, 'AC04', None]])))
