// What processes of this machine have used so far, read from /proc.
import { readdirSync } from 'node:fs'
import { readIfThere } from '../../runtime/files.ts'

/** Processor seconds of a process, its threads, and its children of now. */
export function cpuSeconds (pid: number): number {
  const own = statOf(pid)
  const children = readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number)
    .flatMap(other => statOf(other) ?? []).filter(({ parent }) => parent === pid)
  const ticks = [...own === null ? [] : [own], ...children].reduce((sum, one) => sum + one.ticks, 0)
  return ticks / ticksPerSecond
}
const ticksPerSecond = 100

/** Fields 4, 14 and 15 of proc(5) stat, counted from behind the name, which may hold anything. */
function statOf (pid: number): { parent: number, ticks: number } | null {
  const stat = readIfThere(`/proc/${pid}/stat`)
  if (stat === null) return null
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }
}
