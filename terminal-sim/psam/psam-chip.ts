// A virtual PSAM in the hands of a reader: keeps the one current state of it. It refuses to know what the
// commands do.

import type { Chip } from '../reader/chip.ts'
import type { PsamDescription, PsamReport } from './description.ts'
import { type PsamMemory, createPsam, powerOff, reportPsam, restorePsam, transmitPsam } from './psam.ts'

export type PsamChip = Chip & { report (): PsamReport, stored (): PsamMemory }

/** `stored` is what another PSAM chip of this description gave. */
export function psamChip (description: PsamDescription, stored?: unknown): PsamChip {
  let psam = stored === undefined ? createPsam(description) : restorePsam(description, stored as PsamMemory)
  return {
    atr: psam.chip.atr,
    reset () { psam = powerOff(psam) },
    transmit (command, power) {
      const done = transmitPsam(psam, command, power)
      psam = done.psam
      return done.response
    },
    report: () => reportPsam(psam),
    stored: () => psam.memory
  }
}
