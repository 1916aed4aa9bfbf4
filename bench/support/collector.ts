// Collects garbage and says what is left of the heap: for benches that look whether memory grows.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export function collector (): () => number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  return () => {
    collect()
    return process.memoryUsage().heapUsed
  }
}
