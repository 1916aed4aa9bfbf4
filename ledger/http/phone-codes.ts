// The doors of the card in a phone: bound at a counter, codes for the program on it, uses that gateways tell.
import { Type } from 'typebox'
import {
  BoundPhone, CodeAsk, CodeKeys, CodeReply, CodesOfCard, CodeUse, CodeUseReply, NewPhone, PhoneName
} from '../../schemas/phone-code.ts'
import { bindPhone, codesOfCard, giveCode, unbindPhone } from '../cards/phones.ts'
import type { Ledger } from '../ledger.ts'
import { takeUse } from '../posting/phone-codes.ts'
import type { App } from './app.ts'
import { callerIn, memberOf } from './auth.ts'
import { ledgerIn } from './once.ts'
import { cardOf } from './views.ts'

const closed = { additionalProperties: false } as const
const Card = Type.String({ maxLength: 48 })
const ByCard = Type.Object({ card: Card }, closed)

export const phoneCodeRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/cards/:card/phones', {
    config: { allow: ['clerk'], keyed: 'sealed' },
    schema: { params: ByCard, body: NewPhone, response: { 201: BoundPhone } }
  }, async (request, reply) => {
    const member = memberOf(callerIn(request))
    const bound = await bindPhone(ledgerIn(request), member, cardOf(request.params.card), request.body.party)
    reply.code(201)
    return bound
  })

  app.post('/v1/cards/:card/phones/:phone/end', {
    config: { allow: ['clerk', 'hotline'], keyed: true },
    schema: {
      params: Type.Object({ card: Card, phone: PhoneName }, closed), response: { 200: CodesOfCard }
    }
  }, async request => {
    const ledger = ledgerIn(request)
    const { card, phone } = request.params
    await unbindPhone(ledger, memberOf(callerIn(request)), cardOf(card), phone)
    return await codesOfCard(ledger, cardOf(card))
  })

  app.get('/v1/cards/:card/codes', {
    config: { allow: ['clerk', 'hotline', 'registrar', 'approver', 'auditor'] },
    schema: { params: ByCard, response: { 200: CodesOfCard } }
  }, async request => await codesOfCard(ledger, cardOf(request.params.card)))

  app.post('/v1/codes', {
    config: { allow: ['agent', 'operator'], repeated: 'Another code, once it is time for one.' },
    schema: { body: CodeAsk, response: { 200: CodeReply } }
  }, async (request, reply) => {
    reply.header('cache-control', 'no-store')
    return await giveCode(ledger, { party: callerIn(request).party, token: request.body.token })
  })

  app.get('/v1/code-keys', {
    config: { allow: ['gateway'] }, schema: { response: { 200: CodeKeys } }
  }, async () => [{ keyId: ledger.signer.keyId, publicKey: ledger.signer.publicKeyPem }])

  app.post('/v1/code-uses', {
    config: { allow: ['gateway'], repeated: 'The same use is paid once; what holds of it by then is said.' },
    schema: { body: CodeUse, response: { 200: CodeUseReply } }
  }, async request => await takeUse(ledger, { client: callerIn(request).id, told: request.body }))
}
