// The estate: which terminals serve, which are behind, whose clocks are off, where they stand, how intact all
// of them were, and the gateways that tell of it.
import { useState } from 'react'
import type { Availability as AvailabilityView, GatewayView, TerminalView } from '../../schemas/estate.ts'
import { looks } from '../api/doors.ts'
import { useList, useLook } from '../api/use-call.ts'
import { Choice, Filter, TextField } from '../parts/fields.tsx'
import { Grid, ListGrid, type Columns } from '../parts/grid.tsx'
import { PlaceMap } from '../parts/map.tsx'
import { Mark, type Tone } from '../parts/mark.tsx'
import { Page, Part } from '../parts/page.tsx'
import { ProblemNote } from '../parts/problem-note.tsx'
import { At, Code } from '../parts/values.tsx'
import { Link, to } from '../router.tsx'
import { useWords } from '../words/words.tsx'

const healths = ['intact', 'down', 'unknown'] as const
const states = ['registered', 'enrolled', 'suspended', 'retired'] as const
const tones: Readonly<Record<TerminalView['health'], Tone>> = { intact: 'good', down: 'bad', unknown: 'warn' }
const everything = { health: '', state: '', operator: '' }

export function TerminalsPage () {
  const { words: { terminals: words, all } } = useWords()
  const [wanted, setWanted] = useState(everything)
  const list = useList(place => looks.terminals(wanted, place), JSON.stringify(wanted))
  const set = (name: keyof typeof everything) => (value: string) => setWanted({ ...wanted, [name]: value })
  return (
    <Page heading={words.heading} again={list.again}>
      <Filter>
        <Choice
          label={words.health} any={all} value={wanted.health} onChange={set('health')}
          options={healths.map(each => [each, words.healths[each]])}
        />
        <Choice
          label={words.state} any={all} value={wanted.state} onChange={set('state')}
          options={states.map(each => [each, words.states[each]])}
        />
        <TextField
          label={words.operator} value={wanted.operator}
          onChange={value => set('operator')(value.toUpperCase().replace(/[^A-Z0-9-]/g, '').slice(0, 15))}
        />
      </Filter>
      <ListGrid
        label={words.heading} list={list} columns={useColumns()}
        keyOf={({ operator, terminal }) => `${operator}/${terminal}`}
      />
      <Estate wanted={wanted} />
      <Gateways />
    </Page>
  )
}

export function HealthMark ({ health }: Pick<TerminalView, 'health'>) {
  const { words: { terminals: words } } = useWords()
  return <Mark tone={tones[health]}>{words.healths[health]}</Mark>
}

/** Those of the filter that have ever said where they are. */
function Estate ({ wanted }: { readonly wanted: typeof everything }) {
  const { words: { terminals: words }, format } = useWords()
  const { data, error } = useLook(() => looks.terminalsOnMap(wanted), JSON.stringify(wanted))
  const placed = (data?.items ?? []).flatMap(({ operator, terminal, health, name, where }) => {
    const label = [`${operator}/${terminal}`, name].filter(Boolean).join(' ')
    return where === null ? [] : [{ label, tone: tones[health], health, ...where }]
  })
  const counts = healths.map(health =>
    `${words.healths[health]} ${format.count(placed.filter(one => one.health === health).length)}`).join(', ')
  return (
    <Part heading={words.map}>
      <ProblemNote error={error} />
      <p>
        {words.placed(format.count(placed.length), format.count(data?.items.length ?? 0))} {counts}
        {data?.isCut === true && <> <Mark tone='warn'>{words.cut}</Mark></>}
      </p>
      {placed.length > 0 && <PlaceMap label={words.map} places={placed} counts={counts} />}
    </Part>
  )
}

function useColumns (): Columns<TerminalView> {
  const { words: { terminals: words }, format } = useWords()
  return [
    {
      title: words.terminal,
      cell: ({ operator, terminal }) =>
        <Link to={to('terminals', operator, terminal)}>{`${operator}/${terminal}`}</Link>
    },
    { title: words.name, cell: ({ name }) => name },
    { title: words.place, cell: ({ place }) => place },
    { title: words.state, cell: ({ state }) => words.states[state] },
    { title: words.health, cell: ({ health }) => <HealthMark health={health} /> },
    { title: words.heard, cell: ({ heardAt }) => heardAt === null ? words.never : <At iso={heardAt} /> },
    {
      title: words.drift, figure: true,
      cell: ({ driftMs }) => driftMs === null ? '' : format.seconds(driftMs)
    },
    {
      title: words.firmware,
      cell: ({ firmware, firmwareWanted }) => firmwareWanted === null || firmware === firmwareWanted
        ? firmware
        : <Mark tone='warn'>{`${firmware ?? ''} ${words.wanted(firmwareWanted)}`}</Mark>
    },
    {
      title: words.held,
      cell: ({ held: { blacklist, tariff } }) => `${blacklist ?? '–'} / ${tariff ?? '–'}`
    },
    {
      title: words.events,
      cell: ({ events }) =>
        events.map(event => <span key={event} className='piece'><Code>{event}</Code></span>)
    },
    { title: words.gateway, cell: ({ heardBy, gateway }) => heardBy ?? gateway }
  ]
}

function Gateways () {
  const { words: { terminals: words }, format } = useWords()
  const { data, busy } = useLook(looks.gateways, 'gateways')
  const columns: Columns<GatewayView> = [
    { title: words.gateway, cell: ({ gateway }) => gateway },
    {
      title: words.health,
      cell: ({ away }) => <Mark tone={away ? 'bad' : 'good'}>{away ? words.away : words.present}</Mark>
    },
    { title: words.reported, cell: ({ reportedAt }) => <At iso={reportedAt} /> },
    {
      title: words.spool, figure: true,
      cell: ({ spoolDepth }) => spoolDepth === null ? '' : format.count(spoolDepth)
    },
    { title: words.heading, figure: true, cell: ({ terminals }) => format.count(terminals) },
    { title: words.software, cell: ({ software }) => software }
  ]
  const latest = (data?.items ?? []).map(({ reportedAt }) => Date.parse(reportedAt))
    .reduce((last, at) => Math.max(last, at), 0)
  return (
    <>
      <Part heading={words.gateways}>
        <Grid
          label={words.gateways} columns={columns} rows={data?.items ?? []} busy={busy}
          keyOf={({ gateway }) => gateway}
        />
      </Part>
      {latest > 0 && <Intact untilMs={latest} />}
    </>
  )
}

type Share = AvailabilityView['operators'][number]
const dayMs = 86_400_000

/** How intact the fleet was in the day before its last report, and how fast its events were dealt with. */
function Intact ({ untilMs }: { readonly untilMs: number }) {
  const { words: { terminals: words, none }, format } = useWords()
  const [from, until] = [untilMs - dayMs, untilMs].map(ms => new Date(ms).toISOString()) as [string, string]
  const { data, busy, error } = useLook(() => looks.availability(from, until), until)
  const share = (ppm: number | null) => ppm === null ? none : format.percent(ppm)
  const columns: Columns<Share> = [
    { title: words.operator, cell: ({ operator }) => operator },
    { title: words.heading, figure: true, cell: ({ terminals }) => format.count(terminals) },
    { title: words.availability, figure: true, cell: ({ intactPpm }) => share(intactPpm) },
    { title: words.handled, figure: true, cell: ({ handledPpm }) => share(handledPpm) }
  ]
  const fleet = data?.fleet
  return (
    <Part heading={words.availability}>
      <ProblemNote error={error} />
      <Grid
        label={words.availability} columns={columns} rows={data?.operators ?? []} busy={busy}
        keyOf={({ operator }) => operator}
        sums={fleet === undefined
          ? []
          : [words.all, format.count(fleet.terminals), share(fleet.intactPpm), share(fleet.handledPpm)]}
      />
    </Part>
  )
}
