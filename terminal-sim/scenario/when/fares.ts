// when: fares change.
import {
  concessionsSaid, documentSaid, enterConcessions, feedSaid, publishDocument, publishFeed
} from '../fares.ts'
import { whenVerb } from '../verb.ts'

export const publishFares = whenVerb({
  says: 'a tariff document is published; journeys since it counts are priced again',
  example: 'publish_fares: { file: test/fares/city.json, version: 2, from: D 05:00 }',
  schema: documentSaid,
  plan: (world, said) => [{ act: () => publishDocument(world, said) }]
})

export const publishFeedVerb = whenVerb({
  says: 'a GTFS directory is read into a tariff document, and that is published',
  example: 'publish_feed: { directory: test/feeds/hengyang, version: 3, from: D 05:00, operator: BUS }',
  schema: feedSaid,
  plan: (world, said) => [{ act: () => publishFeed(world, said) }]
})

export const enterConcessionsVerb = whenVerb({
  says: 'what cards may is entered anew; journeys are priced again',
  example: 'enter_concessions: { A: { student: { until: 2026-03-31 } } }',
  schema: concessionsSaid,
  plan: (world, said) => [{ act: () => enterConcessions(world, said) }]
})
