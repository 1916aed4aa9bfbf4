// The traffic of a SIP2 port for a tape: whole lines, masked tag by tag. It refuses to know files.
import { codePage } from '../../schemas/sip2/code-page.ts'
import { sip2Defaults, type Sip2Speaks } from '../../schemas/sip2/config.ts'
import { lineCutter } from '../../schemas/sip2/lines.ts'
import { maskLine } from '../../schemas/sip2/mask.ts'
import type { MaskerMaker } from '../tapes.ts'

/** What telnet is asked for is no message: its length is told alone. */
export function sip2Masker ({ codePage: name = sip2Defaults.codePage }: Sip2Speaks, numbers: boolean):
NonNullable<MaskerMaker> {
  return () => {
    const page = codePage(name)
    const lines = lineCutter()
    return bytes => lines.push(bytes).map(one => () =>
      'line' in one ? maskLine(one.line, page, { numbers }) : `(${one.overlong} bytes that are no message)`)
  }
}
