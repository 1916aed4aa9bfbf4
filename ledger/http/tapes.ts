// The door for tapes: what the ledger would say of each record on one, beside what is posted.
import { TapePrediction, TapePredictionRequest } from '../../schemas/tape-prediction.ts'
import type { Ledger } from '../ledger.ts'
import { predictTape } from '../tracing/predict.ts'
import type { App } from './app.ts'
import { callerIn } from './auth.ts'

/** A tape as a string of JSON: quotes and line ends take two bytes there. */
const bodyBytesMax = 5 * 1024 * 1024

export const tapeRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/tapes/predictions', {
    bodyLimit: bodyBytesMax,
    config: {
      allow: ['registrar', 'auditor', 'admin'], cityWide: true,
      repeated: 'It stores nothing but that somebody looked.'
    },
    schema: { body: TapePredictionRequest, response: { 200: TapePrediction } }
  }, async request => await predictTape(ledger, request.body, callerIn(request).id))
}
