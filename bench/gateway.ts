// What the parts of a gateway cost, each beside the barest thing that must be done anyway, in turn within one
// run: a purchase alone and on fourteen lanes at once, a record on its way, frames of each codec,
// conversations over sockets, a thousand POS of ISO 8583, and ten thousand terminals before a real ledger.
// `--rounds N` taps, 40 unless told; 0 leaves readers out. `--only PART` measures one part.
import { parseArgs } from 'node:util'
import { codecs } from './gateway/codecs.ts'
import { fleet } from './gateway/fleet.ts'
import { purchasesOfMany } from './gateway/iso8583.ts'
import { manyLanes } from './gateway/lanes.ts'
import { conversations } from './gateway/sockets.ts'
import { recordsThrough } from './gateway/spool.ts'
import { bench as tapBench } from './tap.ts'

export async function bench (
  { args }: { readonly args: readonly string[] }
): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args: [...args], options: { rounds: { type: 'string', default: '40' }, only: { type: 'string' } }
  })
  const rounds = Number(values.rounds)
  const parts: Readonly<Record<string, () => unknown>> = {
    tap: () => rounds === 0 ? null : tapBench({ args: [String(rounds)] }),
    lanes: () => rounds === 0 ? null : manyLanes(Math.ceil(rounds / 4)),
    codecs,
    records: recordsThrough,
    sockets: conversations,
    iso8583: purchasesOfMany,
    fleet
  }
  const { only } = values
  if (only !== undefined && !Object.hasOwn(parts, only)) {
    throw new Error(`--only ${only}: one of ${Object.keys(parts).join(', ')}`)
  }
  const figures: Record<string, unknown> = {}
  for (const [name, part] of Object.entries(parts)) {
    if (only === undefined || only === name) figures[name] = await part()
  }
  return figures
}
