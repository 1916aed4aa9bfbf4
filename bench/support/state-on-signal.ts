// Loaded before a process that is watched for leaks: on SIGUSR2 it collects its garbage and says on standard
// output what it still holds. Needs --expose-gc.
export type ProcessState = {
  readonly heapBytes: number
  readonly externalBytes: number
  readonly rssBytes: number
  /** Timers, sockets and files, by kind. */
  readonly handles: Readonly<Record<string, number>>
  /** On the process itself, by event. */
  readonly listeners: number
}

process.on('SIGUSR2', () => {
  gc?.()
  const { heapUsed, external, rss } = process.memoryUsage()
  const kinds = process.getActiveResourcesInfo()
  const handles = Object.fromEntries(kinds.map(kind => [kind, kinds.filter(one => one === kind).length]))
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)
  const state: ProcessState = {
    heapBytes: heapUsed, externalBytes: external, rssBytes: rss, handles, listeners
  }
  process.stdout.write(JSON.stringify({ state }) + '\n')
})
