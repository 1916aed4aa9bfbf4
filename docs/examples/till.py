#!/usr/bin/env python3
"""A till: asks a gateway to sell to a card's online account. It shares no code with the gateway.

    python3 docs/examples/till.py CARD FEN [KEY] [HOST:PORT]

The protocol is that of docs/pos-line.md. The same KEY again is the same sale: a till that did not hear the
answer asks once more with it, and never with another one."""
import socket
import sys
import time

STX, ETX, ACK, NAK = b'\x02', b'\x03', b'\x06', b'\x15'


def frame(text):
    """STX data ETX check; the check byte is the exclusive-or of data and ETX."""
    body = text.encode() + ETX
    check = 0
    for byte in body:
        check ^= byte
    return STX + body + bytes([check])


def read_frame(line):
    """The text of the next frame that is whole, or None where its check byte is wrong."""
    while (line.recv(1) or sys.exit('the gateway hung up')) != STX:
        pass
    data = b''
    while not data.endswith(ETX):
        data += line.recv(1) or sys.exit('the gateway hung up')
    return data[:-1].decode() if frame(data[:-1].decode())[-1:] == line.recv(1) else None


def ask(line, request):
    """Sends until it is heard, then waits for the answer and says that it heard it."""
    for _ in range(4):
        line.sendall(frame(request))
        line.settimeout(2)
        try:
            if line.recv(1) == ACK:
                break
        except socket.timeout:
            pass
    else:
        sys.exit('nobody hears')
    line.settimeout(12)
    while (answer := read_frame(line)) is None:
        line.sendall(NAK)
    line.sendall(ACK)
    return dict(part.split('=', 1) for part in answer.split('|')[1:])


card, fen = sys.argv[1], sys.argv[2]
key = sys.argv[3] if len(sys.argv) > 3 else f'till-{time.time_ns()}'
host, port = (sys.argv[4] if len(sys.argv) > 4 else '127.0.0.1:7001').split(':')
with socket.create_connection((host, int(port))) as line:
    answer = ask(line, f'SALE|key={key}|terminal=TILL-1|card={card}|amountFen={fen}')
print(answer['outcome'], answer['reason'], f"key {key}", f"{int(answer.get('balanceFen', 0)) / 100:.2f} left",
      '(answered before)' if answer.get('replayed') == '1' else '')
sys.exit(0 if answer['outcome'] == 'approved' else 1)
