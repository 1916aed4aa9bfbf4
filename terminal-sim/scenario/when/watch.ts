// when: people decide on what the watch found: records are dated anew, grey ones given up, holds released.
import { Type } from 'typebox'
import { peopleSaid, propose } from '../proposals.ts'
import { name, oneOf, whole } from '../values.ts'
import { whenVerb } from '../verb.ts'
import { known } from '../world.ts'

const closed = { additionalProperties: false } as const

export const redate = whenVerb({
  says: 'records of a PSAM whose terminal clock was wrong get a time from their neighbours',
  example: 'redate: { psam: P9, approved_by: [approver-1] }',
  schema: Type.Object({ psam: name('a PSAM'), ...peopleSaid }, closed),
  plan: (world, { psam, by, approved_by: approvers }) => [{
    act: async () => await propose(world, {
      kind: 'redate', body: { psam: known(world.psams, 'PSAM', psam).number, issue: 1 },
      reason: 'the clock of the terminal was reset', by, approvers
    })
  }]
})

export const expireGrey = whenVerb({
  says: 'a grey record that nobody could prove for so long is given up',
  example: 'expire_grey: { card: A, counter: 77, approved_by: [approver-1, approver-2] }',
  schema: Type.Object({
    card: name('a card'), counter: whole('committed counter of the grey record'), ...peopleSaid
  }, closed),
  plan: (world, { card, counter, by, approved_by: approvers }) => [{
    act: async () => await propose(world, {
      kind: 'grey_expiry', body: { card: known(world.chips, 'card', card).ref, counter },
      reason: 'nobody could prove that the chip paid', by, approvers
    })
  }]
})

export const releaseHeld = whenVerb({
  says: 'people decide on a record held for a conflict or for its PSAM: its operator is paid, or nobody',
  example: 'release_held: { record: B/101, to: operator, approved_by: [approver-1] }',
  schema: Type.Object({
    record: name('a record'), to: oneOf(['operator', 'nobody'], 'who gets its money'), ...peopleSaid
  }, closed),
  plan: (world, { record: label, to, by, approved_by: approvers }) => [{
    act: async () => {
      const { card, counter, psam, sequence } = known(world.records, 'record', label).record
      await propose(world, {
        kind: 'held_release', body: { card, counter, psam, sequence, to },
        reason: 'chip and terminal were looked at', by, approvers
      })
    }
  }]
})

export const releaseHold = whenVerb({
  says: 'the settlement of a party that a rule held is released',
  example: 'release_hold: { party: SHP, approved_by: [approver-1] }',
  schema: Type.Object({ party: name('a party'), ...peopleSaid }, closed),
  plan: (world, { party, by, approved_by: approvers }) => [{
    act: async () => await propose(world, {
      kind: 'hold_release', body: { party }, reason: 'the till was looked at, the sales were real', by,
      approvers
    })
  }]
})
