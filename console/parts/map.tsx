// Where things stand to each other: drawn from their coordinates with a scale and a net of degrees, without a
// server of tiles. A table beside it says the same; places that would cover each other are drawn as one.
import { signs, type Tone } from './mark.tsx'

export type Place = {
  readonly label: string, readonly tone: Tone, readonly latitude: number, readonly longitude: number
}
type Given = {
  readonly label: string
  readonly places: readonly Place[]
  /** `3 ✕ bad`: how many stand how, in words. */
  readonly counts: string
}

const size = { width: 900, height: 460, margin: 36, cell: 22 } as const
const kmPerDegree = 111.2
/** The worst of those that are drawn as one is shown. */
const worst = ['bad', 'warn', 'plain', 'good'] as const satisfies readonly Tone[]
const namesMax = 12

export function PlaceMap ({ label, places, counts }: Given) {
  const view = viewOf(places)
  return (
    <figure className='map'>
      <svg viewBox={`0 0 ${size.width} ${size.height}`} role='img' aria-label={`${label}: ${counts}`}>
        <Net view={view} />
        {cellsOf(places, view).map(cell => <Spot key={`${cell.x} ${cell.y}`} {...cell} />)}
        <Scale view={view} />
      </svg>
    </figure>
  )
}

type View = {
  readonly x: (longitude: number) => number, readonly y: (latitude: number) => number
  readonly west: number, readonly east: number, readonly south: number, readonly north: number
  readonly pixelsPerKm: number
}

/** All places within the margins, east-west and north-south at the same scale; never closer than 1 km. */
function viewOf (places: readonly Place[]): View {
  const [south, north] = rangeOf(places.map(({ latitude }) => latitude))
  const [west, east] = rangeOf(places.map(({ longitude }) => longitude))
  const [midLatitude, midLongitude] = [(south + north) / 2, (west + east) / 2]
  const narrower = Math.max(Math.cos(midLatitude * Math.PI / 180), 0.01)
  const [widthKm, heightKm] = [(east - west) * narrower * kmPerDegree, (north - south) * kmPerDegree]
  const [width, height] = [size.width - 2 * size.margin, size.height - 2 * size.margin]
  const pixelsPerKm = Math.min(width / Math.max(widthKm, 1), height / Math.max(heightKm, 1))
  const perDegree = pixelsPerKm * kmPerDegree
  const [halfWidth, halfHeight] = [size.width / 2 / perDegree / narrower, size.height / 2 / perDegree]
  return {
    x: longitude => size.width / 2 + (longitude - midLongitude) * narrower * perDegree,
    y: latitude => size.height / 2 - (latitude - midLatitude) * perDegree,
    west: midLongitude - halfWidth, east: midLongitude + halfWidth,
    south: midLatitude - halfHeight, north: midLatitude + halfHeight, pixelsPerKm
  }
}

const rangeOf = (values: readonly number[]): readonly [number, number] =>
  values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [values[0] ?? 0, values[0] ?? 0])

type Cell = { readonly x: number, readonly y: number, readonly places: readonly Place[] }

function cellsOf (places: readonly Place[], view: View): Cell[] {
  const cells = new Map<string, Place[]>()
  for (const place of places) {
    const at = [view.x(place.longitude), view.y(place.latitude)].map(one => Math.round(one / size.cell))
    const key = at.join(' ')
    const there = cells.get(key)
    if (there === undefined) cells.set(key, [place])
    else there.push(place)
  }
  return [...cells.values()].map(there => ({
    x: meanOf(there.map(({ longitude }) => view.x(longitude))),
    y: meanOf(there.map(({ latitude }) => view.y(latitude))), places: there
  }))
}

const meanOf = (values: readonly number[]): number =>
  Math.round(values.reduce((sum, value) => sum + value, 0) / values.length)

function Spot ({ x, y, places }: Cell) {
  const tone = worst.find(one => places.some(place => place.tone === one)) ?? 'plain'
  const names = places.slice(0, namesMax).map(place => `${signs[place.tone]} ${place.label}`)
  const more = places.length > namesMax ? [`… ${places.length}`] : []
  return (
    <g className={`spot ${tone}`}>
      <title>{[...names, ...more].join('\n')}</title>
      <circle cx={x} cy={y} r={places.length > 1 ? 11 : 8} />
      <text x={x} y={y + 4} textAnchor='middle'>{places.length > 1 ? places.length : signs[tone]}</text>
    </g>
  )
}

/** Lines of whole steps of degrees, with what they are. */
function Net ({ view }: { readonly view: View }) {
  const step = stepUnder((view.east - view.west) / 3)
  const digits = Math.max(0, -Math.floor(Math.log10(step)))
  return (
    <>
      {linesOf(view.west, view.east, step).map(longitude => (
        <g key={`x${longitude}`}>
          <line x1={view.x(longitude)} x2={view.x(longitude)} y1={0} y2={size.height} className='gridline' />
          <text x={view.x(longitude) + 3} y={size.height - 4}>{degreesOf(longitude, digits, 'E', 'W')}</text>
        </g>
      ))}
      {linesOf(view.south, view.north, step).map(latitude => (
        <g key={`y${latitude}`}>
          <line x1={0} x2={size.width} y1={view.y(latitude)} y2={view.y(latitude)} className='gridline' />
          <text x={3} y={view.y(latitude) - 3}>{degreesOf(latitude, digits, 'N', 'S')}</text>
        </g>
      ))}
    </>
  )
}

const linesOf = (from: number, to: number, step: number): number[] =>
  Array.from({ length: Math.max(0, Math.floor(to / step) - Math.ceil(from / step) + 1) },
    (_, nth) => (Math.ceil(from / step) + nth) * step)

const degreesOf = (value: number, digits: number, positive: string, negative: string): string =>
  `${Math.abs(value).toFixed(digits)}° ${value < 0 ? negative : positive}`

function Scale ({ view }: { readonly view: View }) {
  const km = stepUnder(size.width / 5 / view.pixelsPerKm)
  const width = km * view.pixelsPerKm
  const [right, y] = [size.width - 16, 18]
  return (
    <g className='scale'>
      <path d={`M ${right - width} ${y - 5} v 5 h ${width} v -5`} />
      <text x={right} y={y + 14} textAnchor='end'>{km < 1 ? `${Math.round(km * 1_000)} m` : `${km} km`}</text>
    </g>
  )
}

/** The largest of 1, 2, 5 times a power of ten that is not above. */
function stepUnder (most: number): number {
  const power = 10 ** Math.floor(Math.log10(most))
  return ([5, 2, 1].find(each => each * power <= most) ?? 1) * power
}
