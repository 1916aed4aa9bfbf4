// What processes of this machine have used so far and hold now, read from /proc.
import { readdirSync } from 'node:fs'
import { errorCode, readIfThere } from '../../runtime/files.ts'

/** Processor seconds of a process, its threads, and its children, those that it has seen end included. */
export function cpuSeconds (pid: number): number {
  const ticks = [pid, ...childrenOf(pid)].reduce((sum, one) => sum + (statOf(one)?.ticks ?? 0), 0)
  return ticks / ticksPerSecond
}
const ticksPerSecond = 100

export const childrenOf = (pid: number): number[] => readdirSync('/proc')
  .filter(name => /^\d+$/.test(name)).map(Number).filter(one => statOf(one)?.parent === pid)

/** 0 for a process that has just ended. */
export function descriptorsOf (pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 0
    throw error
  }
}

/** Fields 4 and 14 to 17 of proc(5) stat, counted from behind the name, which may hold anything. */
function statOf (pid: number): { parent: number, ticks: number } | null {
  const stat = readIfThere(`/proc/${pid}/stat`)
  if (stat === null) return null
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return { parent: Number(fields[1]), ticks }
}
