// Whatever goes wrong on the way to an answer, as a problem document (RFC 9457) with a reason of the
// registry.
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { Problem } from '../../schemas/api.ts'
import { requestReasons, type RequestReason } from '../../schemas/reasons.ts'
import { maskCards } from '../../runtime/log.ts'
import { Refusal } from '../refusal.ts'

export const problemType = 'application/problem+json; charset=utf-8'

export function problemOf (reason: RequestReason, detail?: string, where?: string | null): Problem {
  const { http, en } = requestReasons[reason]
  return {
    type: `urn:citizen-card:problem:${reason}`,
    title: en,
    status: http,
    reason,
    ...(detail === undefined || detail === en ? {} : { detail }),
    ...(where === undefined || where === null ? {} : { where })
  }
}

/** Whoever is told that it is too early asks again after so many seconds. */
const retryAfterSeconds = 5

export function sendProblem (reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.status === 503) reply.header('retry-after', String(retryAfterSeconds))
  const instance = instanceOf(reply.request.url)
  return reply.code(problem.status).type(problemType).send({ ...problem, instance })
}

/** Where it happened, without the query and with card numbers masked. */
const instanceOf = (url: string): string => maskCards(url.split('?')[0] ?? '')

/** The last stop of every error. Faults are logged with their cause and told without it. */
export async function answerError (
  error: FastifyError, request: FastifyRequest, reply: FastifyReply
): Promise<FastifyReply> {
  const problem = explain(error)
  if (problem.status >= 500 || isUnstorable(error)) {
    request.log.error({ err: error, reason: problem.reason }, 'request failed')
  }
  return await sendProblem(reply, problem)
}

function explain (error: FastifyError): Problem {
  if (error instanceof Refusal) return problemOf(error.reason, error.message, error.where)
  const [first] = error.validation ?? []
  if (first !== undefined) {
    const detail = `${error.validationContext ?? 'request'}: ${first.message ?? 'not valid'}`
    return problemOf('body_invalid', detail, first.instancePath)
  }
  if (isUnstorable(error)) return problemOf('body_invalid', 'a value is none that can be stored')
  const reason = frameworkReasons[error.code] ?? reasonOfStatus(error.statusCode) ?? faultOf(error)
  return requestReasons[reason].http < 500 ? problemOf(reason, error.message) : problemOf(reason)
}

/**
 * PostgreSQL's class 22: a number beyond its column, U+0000 in a text. Whoever sent it is told; that a schema
 * let it in is a fault of ours, and logged as one.
 */
const isUnstorable = ({ code }: FastifyError): boolean => /^22[0-9A-Z]{3}$/.test(code ?? '')

/** Errors of the framework that have a reason of their own. */
const frameworkReasons: Readonly<Record<string, RequestReason>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'body_invalid'
}

const reasonOfStatus = (status: number | undefined): RequestReason | null =>
  status !== undefined && status >= 400 && status < 500 ? 'body_invalid' : null

/**
 * The database is away, starting, stopping, or full of connections: PostgreSQL classes 08, 53 and 57; 55P03
 * is a lock that was not to be had in time.
 */
const faultOf = ({ code, message }: FastifyError): RequestReason =>
  /^(08|53|57|55P03)|^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND)$/.test(code ?? '') ||
  /Connection terminated|timeout exceeded when trying to connect/.test(message)
    ? 'unavailable'
    : 'internal'
