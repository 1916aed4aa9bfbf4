// Bars of figures that a table beside them shows as well: drawn, printed and read out without a library. Each
// series has a pattern besides its colour.
import { useId } from 'react'

export type Series = { readonly name: string, readonly values: readonly number[] }
type Given = {
  readonly label: string
  readonly names: readonly string[]
  /** More than one: on top of each other; all of them are counts then. */
  readonly series: readonly Series[]
  readonly shown: (value: number) => string
}

const size = { width: 900, height: 240, left: 90, bottom: 26, top: 16 } as const
const colours = [
  '#0b5394', '#b35c00', '#1b6e3c', '#7a3b8f', '#8a1c1c', '#00707a', '#5a5f00', '#444c56', '#a0447a'
]

export function Chart ({ label, names, series, shown }: Given) {
  const id = useId()
  const scale = scaleOf(names.map((_, place) => series.map(({ values }) => values[place] ?? 0)))
  const slot = (size.width - size.left) / Math.max(names.length, 1)
  const text = names.map((name, place) => `${name} ${series.map(one =>
    `${series.length > 1 ? `${one.name} ` : ''}${shown(one.values[place] ?? 0)}`).join(', ')}`).join('; ')
  return (
    <figure className='chart'>
      <svg viewBox={`0 0 ${size.width} ${size.height}`} role='img' aria-label={`${label}: ${text}`}>
        <Patterns id={id} count={series.length} />
        {scale.lines.map(value => <Gridline key={value} y={scale.y(value)} text={shown(value)} />)}
        {names.map((name, place) => (
          <g key={name}>
            {stackOf(series.map(({ values }) => values[place] ?? 0)).map(({ from, to }, nth) => from === to
              ? null
              : (
                <rect
                  key={series[nth]?.name} fill={`url(#${id}${nth})`}
                  x={size.left + slot * place + (slot - barOf(slot)) / 2} width={barOf(slot)}
                  y={scale.y(Math.max(from, to))} height={Math.abs(scale.y(from) - scale.y(to))}
                ><title>{`${name} ${series[nth]?.name ?? ''} ${shown(to - from)}`}</title>
                </rect>
                ))}
            <text x={size.left + slot * (place + 0.5)} y={size.height - 8} textAnchor='middle'>{name}</text>
          </g>
        ))}
      </svg>
      {series.length > 1 && <Legend id={id} series={series} />}
    </figure>
  )
}

const barOf = (slot: number): number => Math.min(44, slot * 0.6)

function Gridline ({ y, text }: { readonly y: number, readonly text: string }) {
  return (
    <>
      <line x1={size.left} x2={size.width} y1={y} y2={y} className='gridline' />
      <text x={size.left - 8} y={y + 4} textAnchor='end'>{text}</text>
    </>
  )
}

/** The first is plain; those after it have stripes, each in another direction. */
function Patterns ({ id, count }: { readonly id: string, readonly count: number }) {
  return (
    <defs>
      {colours.slice(0, count).map((colour, nth) => (
        <pattern
          key={colour} id={`${id}${nth}`} width='8' height='8' patternUnits='userSpaceOnUse'
          patternTransform={`rotate(${nth * 35})`}
        >
          <rect width='8' height='8' fill={colour} />
          {nth > 0 && <line x1='0' x2='0' y1='0' y2='8' stroke='#fff' strokeWidth='3' />}
        </pattern>
      ))}
    </defs>
  )
}

function Legend ({ id, series }: { readonly id: string, readonly series: readonly Series[] }) {
  return (
    <figcaption>
      {series.map(({ name }, nth) => (
        <span key={name}>
          <svg width='14' height='14' aria-hidden='true'>
            <rect width='14' height='14' fill={`url(#${id}${nth})`} />
          </svg> {name}
        </span>
      ))}
    </figcaption>
  )
}

function stackOf (values: readonly number[]): { from: number, to: number }[] {
  let from = 0
  return values.map(value => {
    const piece = { from, to: from + value }
    from += value
    return piece
  })
}

/** From the least to the most of all bars, zero included, with round lines between. */
function scaleOf (bars: readonly (readonly number[])[]) {
  const ends = bars.map(values => values.reduce((sum, value) => sum + value, 0))
  const [least, most] = [Math.min(0, ...ends), Math.max(0, ...ends)]
  const step = stepOf((most - least) / 4)
  const [low, high] = [Math.floor(least / step) * step, Math.max(Math.ceil(most / step) * step, step)]
  const room = size.height - size.top - size.bottom
  return {
    lines: Array.from({ length: Math.round((high - low) / step) + 1 }, (_, nth) => low + nth * step),
    y: (value: number): number => size.top + (high - value) / (high - low) * room
  }
}

/** 1, 2 or 5 times a power of ten: whole, because fen and counts are. */
function stepOf (wanted: number): number {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(wanted, 1))))
  return ([1, 2, 5, 10].find(each => each * power >= wanted) ?? 10) * power
}
