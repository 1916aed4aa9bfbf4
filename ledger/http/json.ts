// JSON in and out of the ledger's API, exactly: schemas decide, nothing is coerced, nothing is dropped.
import { Compile } from 'typebox/compile'
import type { TSchema } from 'typebox'
import type { FastifySchemaCompiler, FastifySchemaValidationError } from 'fastify'
import { isDeeper } from '../../runtime/json-depth.ts'
import { Refusal } from '../refusal.ts'

type Check = (value: unknown) => readonly FastifySchemaValidationError[] | null
const compiled = new WeakMap<TSchema, Check>()

/**
 * Compiled when first used and kept by schema: several ledgers in one process share the work, and a ledger
 * starts in milliseconds.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema }) => value => {
  const errors = checkOf(schema)(value)
  return errors === null ? { value } : { error: [...errors] }
}

function checkOf (schema: TSchema): Check {
  const known = compiled.get(schema)
  if (known !== undefined) return known
  const validator = Compile(schema)
  const check: Check = value =>
    validator.Check(value) ? null : (validator.Errors(value) as FastifySchemaValidationError[]).map(explained)
  compiled.set(schema, check)
  return check
}

/** "schema is false" is how a checker says that nobody knows this field. What is missing is pointed at. */
function explained (error: FastifySchemaValidationError): FastifySchemaValidationError {
  if (error.keyword === 'boolean') return { ...error, message: 'unknown field' }
  const { requiredProperties: [missing] = [] } = error.params as { requiredProperties?: string[] }
  return missing === undefined ? error : { ...error, instancePath: `${error.instancePath}/${missing}` }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
/** The deepest body there is, a tariff document, has a dozen. */
const levelsMax = 64

/** A request body; undefined where it is empty. Throws Refusal with the place where the text breaks off. */
export function parseJson (bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined
  if (isDeeper(bytes, levelsMax)) {
    throw new Refusal('body_invalid', `nested deeper than ${levelsMax} levels`, '')
  }
  try {
    return JSON.parse(utf8.decode(bytes)) as unknown
  } catch (error) {
    if (error instanceof SyntaxError) throw new Refusal('body_invalid', `not JSON: ${error.message}`)
    if (error instanceof TypeError) throw new Refusal('body_invalid', 'not UTF-8')
    throw error
  }
}

/** Money is bigint inside and an integer outside; one that a reader could not hold exactly is a bug. */
export const toJson = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) => typeof one === 'bigint' ? integer(one) : one)

function integer (value: bigint): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new RangeError(`too large for JSON: ${value}`)
  return number
}
