/** From a stored input to what a handler is given. */
import { MillraceError } from '../core/errors.ts'
import type { JobDefinition } from './define-job.ts'
import { validate } from './schema.ts'

/** The input brought from the version it was stored with to the definition's own, and checked. Throws `PAYLOAD_INVALID`. */
export async function prepareInput(definition: JobDefinition, fromVersion: number, input: unknown): Promise<unknown> {
  let value = input
  for (let version = fromVersion; version < definition.version; version++) {
    const upgrade = definition.upgrade[version]
    if (upgrade === undefined) continue
    try {
      value = await upgrade(value)
    } catch (cause) {
      throw new MillraceError(
        'PAYLOAD_INVALID',
        `the upgrade of ${definition.name} from version ${version} failed: ${String(cause)}`,
        { cause },
      )
    }
  }
  return validate(definition.input, value, 'PAYLOAD_INVALID', definition.name)
}
