// The traffic of a POS line for a tape: frames masked field by field, answers of the line by name. It refuses
// to know files.
import type { PosLineSpeaks } from '../../schemas/pos-line/config.ts'
import { maskPosMessage } from '../../schemas/pos-line/mask.ts'
import { cutPiece, type Piece, plainLrc } from '../../schemas/serial/lrc-frame.ts'
import { bytesCutter, type MaskerMaker } from '../tapes.ts'

export function posLineMasker ({ lrc = plainLrc }: PosLineSpeaks, numbers: boolean):
NonNullable<MaskerMaker> {
  const told = (piece: Piece): string => {
    switch (piece.kind) {
      case 'frame': return maskPosMessage(piece.data, { numbers })
      case 'broken': return `(broken: ${piece.why})`
      case 'junk': return `(${piece.count} bytes that are no frame)`
      default: return piece.kind
    }
  }
  return () => bytesCutter(rest => {
    const cut = cutPiece(rest, lrc)
    return cut === null ? null : { said: () => told(cut.piece), rest: cut.rest }
  })
}
