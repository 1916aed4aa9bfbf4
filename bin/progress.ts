// Shows how far a long run is: one moving line on a terminal, a plain line per step elsewhere.

export type Progress = {
  /** Ends the step before and begins one of `total` parts. */
  step (words: string, total: number): void
  done (parts: number): void
  end (): void
}

const barWidth = 24

export function openProgress (out: NodeJS.WriteStream): Progress {
  let words = ''
  let total = 0
  let parts = 0
  let startedMs = 0
  const moving = out.isTTY === true

  const draw = () => {
    if (!moving) return
    const full = total === 0 ? barWidth : Math.round(barWidth * Math.min(1, parts / total))
    const bar = '█'.repeat(full) + '░'.repeat(barWidth - full)
    out.write(`\r\u001b[K${bar}  ${words}  ${parts}/${total}`)
  }
  const finish = () => {
    if (words === '') return
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1)
    out.write(`${moving ? '\r\u001b[K' : ''}✓ ${words} (${seconds} s)\n`)
    words = ''
  }
  return {
    step: (next, parts_) => {
      finish()
      words = next
      total = parts_
      parts = 0
      startedMs = performance.now()
      draw()
    },
    done: more => {
      parts += more
      draw()
    },
    end: finish
  }
}
