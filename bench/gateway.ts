// What the parts of a gateway cost, each beside the barest thing that must be done anyway, in turn within one
// run: a purchase, a record on its way, frames of each codec, conversations over sockets. `--rounds N` taps,
// 40 unless told; 0 leaves readers out.
import { parseArgs } from 'node:util'
import { codecs } from './gateway/codecs.ts'
import { conversations } from './gateway/sockets.ts'
import { recordsThrough } from './gateway/spool.ts'
import { bench as tapBench } from './tap.ts'

export async function bench (
  { args }: { readonly args: readonly string[] }
): Promise<Record<string, unknown>> {
  const { values } = parseArgs({ args: [...args], options: { rounds: { type: 'string', default: '40' } } })
  const rounds = Number(values.rounds)
  const tap = rounds === 0 ? null : await tapBench({ args: [String(rounds)] })
  return {
    tap, codecs: codecs(), records: await recordsThrough(), sockets: await conversations()
  }
}
