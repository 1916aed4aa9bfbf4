// given: tariff documents that count, and what cards may.
import { Type } from 'typebox'
import { concessionsSaid, documentSaid, enterConcessions, publishDocument } from '../fares.ts'
import { givenVerb } from '../verb.ts'

export const fareDocuments = givenVerb({
  says: 'tariff documents, published before the scenario starts; each counts from an instant on',
  example: 'fare_documents: [{ file: test/fares/city.json, version: 1, from: D-100 00:00 }]',
  schema: Type.Array(documentSaid, { description: 'tariff documents' }),
  prepare: (world, said) => {
    for (const one of said) world.before.push({ at: world.now, act: () => publishDocument(world, one) })
  }
})

export const concessions = givenVerb({
  says: 'concessions that cards have, with their first and last day',
  example: 'concessions: { A: { student: { until: 2026-02-28 } }, B: { senior: {} } }',
  schema: concessionsSaid,
  prepare: (world, said) => {
    world.before.push({ at: world.now, act: () => enterConcessions(world, said) })
  }
})
