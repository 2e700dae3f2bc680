/** Users' schemas: any Standard Schema validator (https://standardschema.dev), or a type alone. */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { MillraceError } from '../core/errors.ts'

/** Any validator of the Standard Schema family: zod, valibot, arktype … */
export type Schema<In = unknown, Out = In> = StandardSchemaV1<In, Out>

/** What a schema accepts. */
export type SchemaInput<S extends Schema> = StandardSchemaV1.InferInput<S>
/** What a schema gives back. */
export type SchemaOutput<S extends Schema> = StandardSchemaV1.InferOutput<S>

/** A schema that carries a type and checks nothing: `input: shape<{ file: string }>()`. */
export function shape<T>(): Schema<T, T> {
  // The phantom type is all there is; the value passes through unchanged.
  return PASS as Schema<T, T>
}

const PASS: Schema = { '~standard': { version: 1, vendor: 'millrace', validate: (value) => ({ value }) } }

/** Tells whether a schema checks nothing, so that the hot path can pass it by. */
export function isShape(schema: Schema | undefined): boolean {
  return schema === undefined || schema === PASS
}

/** One complaint of a schema, its path written as `data.amount`. */
export interface Complaint {
  readonly path: string
  readonly message: string
}

/** The value as the schema gives it back, at once when the schema is synchronous. Throws `code` with the complaints. */
export function validate(
  schema: Schema | undefined,
  value: unknown,
  code: 'PAYLOAD_INVALID' | 'RESULT_INVALID',
  jobName: string,
): unknown | Promise<unknown> {
  if (schema === undefined || schema === PASS) return value
  const result = schema['~standard'].validate(value)
  return result instanceof Promise ? result.then((r) => accept(r, code, jobName)) : accept(result, code, jobName)
}

function accept(
  result: StandardSchemaV1.Result<unknown>,
  code: 'PAYLOAD_INVALID' | 'RESULT_INVALID',
  jobName: string,
): unknown {
  if (result.issues === undefined) return result.value
  const complaints: readonly Complaint[] = result.issues.map((issue) => ({
    path: (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.'),
    message: issue.message,
  }))
  const what = code === 'PAYLOAD_INVALID' ? 'input' : 'result'
  const list = complaints.map((c) => (c.path === '' ? c.message : `${c.path}: ${c.message}`)).join('; ')
  throw new MillraceError(code, `the ${what} of ${jobName} does not fit its schema: ${list}`, {
    fields: { name: jobName, complaints },
    hint: `Make the ${what} fit the schema, or change \`${code === 'PAYLOAD_INVALID' ? 'input' : 'output'}\` of the definition.`,
  })
}
