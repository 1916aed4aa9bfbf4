// The estate: which terminals serve, which are behind, whose clocks are off, and the gateways that tell of
// it.
import { useState } from 'react'
import type { GatewayView, TerminalView } from '../../schemas/estate.ts'
import { looks } from '../api/doors.ts'
import { useList, useLook } from '../api/use-call.ts'
import { Choice, Filter, TextField } from '../parts/fields.tsx'
import { Grid, ListGrid, type Columns } from '../parts/grid.tsx'
import { Mark, type Tone } from '../parts/mark.tsx'
import { Page, Part } from '../parts/page.tsx'
import { At, Code } from '../parts/values.tsx'
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
      <Gateways />
    </Page>
  )
}

function useColumns (): Columns<TerminalView> {
  const { words: { terminals: words }, format } = useWords()
  return [
    { title: words.terminal, cell: ({ operator, terminal }) => <Code>{`${operator}/${terminal}`}</Code> },
    { title: words.name, cell: ({ name }) => name },
    { title: words.place, cell: ({ place }) => place },
    { title: words.state, cell: ({ state }) => words.states[state] },
    { title: words.health, cell: ({ health }) => <Mark tone={tones[health]}>{words.healths[health]}</Mark> },
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
  return (
    <Part heading={words.gateways}>
      <Grid
        label={words.gateways} columns={columns} rows={data?.items ?? []} busy={busy}
        keyOf={({ gateway }) => gateway}
      />
    </Part>
  )
}
