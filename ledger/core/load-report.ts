// What was taken for loads on a day against what chips got of it. Pure.
import { type LoadReport, loadSources } from '../../schemas/load.ts'

/** `state`: 0 open, 1 the chip has it, 2 it has not. */
type Sums = {
  readonly party: string, readonly source: number, readonly state: number
  readonly loads: number, readonly fen: bigint
}

export function loadReport (day: string, sums: readonly Sums[]): LoadReport {
  const keys = [...new Set(sums.map(({ party, source }) => `${party} ${source}`))]
  return {
    day,
    rows: keys.map(key => {
      const own = sums.filter(({ party, source }) => `${party} ${source}` === key)
      const total = (some: readonly Sums[]) => ({
        loads: some.reduce((sum, one) => sum + one.loads, 0),
        fen: Number(some.reduce((sum, one) => sum + one.fen, 0n))
      })
      const inState = (state: number) => total(own.filter(one => one.state === state))
      const { party = '', source = 0 } = own[0] ?? {}
      return {
        party, source: loadSources[source] ?? 'agent', taken: total(own), credited: inState(1),
        givenBack: inState(2), open: inState(0)
      }
    })
  }
}
