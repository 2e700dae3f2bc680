/** The error of every adapter for what is not a transaction of its library. */
import { ConfigError } from '../core/errors.ts'

/** `example` is how a transaction of the library is begun. */
export function foreign(library: string, example: string): ConfigError {
  return new ConfigError('CONFIG_INVALID', `\`tx\` is not a transaction of ${library}`, {
    fields: { library },
    hint: `Pass what ${library} gives inside ${example}`,
  })
}
