// The doors of the ledger that residents ask at, by name.
import type { CaseOptions, NewCase, OwnCase } from '../../schemas/case.ts'
import type { ErasureView } from '../../schemas/erasure.ts'
import type { IdentityDocument } from '../../schemas/holder.ts'
import type { ownMoves, OwnCardView, OwnJourneys, OwnOverview, OwnServices } from '../../schemas/own.ts'
import type { Proofs } from '../../schemas/proof.ts'
import type { OwnData } from '../../schemas/own-data.ts'
import type { ResidentSession } from '../../schemas/resident.ts'
import { call, get, pathOf, type Page } from '../api/client.ts'

const card = (of: string, what = ''): string => `/v1/my/cards/${encodeURIComponent(of)}${what}`

export const looks = {
  session: async () => await get<ResidentSession>('/v1/my/session'),
  overview: async () => await get<OwnOverview>('/v1/my'),
  card: async (of: string) => await get<OwnCardView>(card(of)),
  journeys: async (of: string, from: string, until: string) =>
    await get<OwnJourneys>(pathOf(card(of, '/journeys'), { from, until })),
  receipt: async (of: string, counter: number) => await get<Proofs>(card(of, `/receipts/${counter}`)),
  services: async (of: string) => await get<OwnServices>(card(of, '/services')),
  erasure: async () => await get<ErasureView>('/v1/my/erasure'),
  caseOptions: async () => await get<CaseOptions>('/v1/my/case-options'),
  cases: async (before: string | null) =>
    await get<Page<OwnCase>>(pathOf('/v1/my/cases', { before, limit: '20' }))
}

export const deeds = {
  activate: async (document: IdentityDocument, code: string, password: string) =>
    await call<undefined>('POST', '/v1/my/activation', { json: { document, code, password } }),
  signIn: async (document: IdentityDocument, password: string) =>
    await call<ResidentSession>('POST', '/v1/my/session', { json: { document, password } }),
  signOut: async () => await call<undefined>('DELETE', '/v1/my/session', {}),
  changePassword: async (old: string, wanted: string) =>
    await call<undefined>('PUT', '/v1/my/session/password', { json: { old, wanted } }),
  move: async (of: string, move: typeof ownMoves[number], key: string) =>
    await call<OwnCardView>('POST', card(of, '/moves'), { json: { move }, key }),
  file: async (filed: NewCase, key: string) =>
    await call<OwnCase>('POST', '/v1/my/cases', { json: filed, key }),
  askErasure: async () => await call<ErasureView>('POST', '/v1/my/erasure', {}),
  withdrawErasure: async () => await call<ErasureView>('DELETE', '/v1/my/erasure', {}),
  data: async () => await call<OwnData>('POST', '/v1/my/data', {}),
  withdraw: async (no: number) => await call<OwnCase>('DELETE', `/v1/my/cases/${no}`, {})
}
