/** Options are refused when they hold a word that nobody reads: a misspelt option must not be silently ignored. */
import { ConfigError } from './errors.ts'
import { nearest } from './suggest.ts'

/**
 * Returns when every key of `given` is among `known`, inherited keys included, so that neither `JSON.parse` nor a literal
 * can bring options in by way of `__proto__`. `where` names the call or setting in the error.
 *
 * Throws ConfigError `OPTION_UNKNOWN` with the nearest known option, or `CONFIG_INVALID` when `given` is not an object.
 */
export function checkOptions(given: object, known: readonly string[], where: string): void {
  // Callers in plain JavaScript pass anything.
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new ConfigError('CONFIG_INVALID', `the options for ${where} are ${kindOf(given)}; they must be an object`, {
      fields: { where },
      hint: `Pass an object with some of: ${known.join(', ')}.`,
    })
  }
  for (const key in given) if (key === '__proto__' || !known.includes(key)) throw unknownOption(key, known, where)
}

function unknownOption(key: string, known: readonly string[], where: string): ConfigError {
  const suggestion = nearest(key, known)
  const question = suggestion === undefined ? '' : `; did you mean \`${suggestion}\`?`
  const shown = key.length > 64 ? `${key.slice(0, 64)}…` : key
  return new ConfigError('OPTION_UNKNOWN', `unknown option \`${shown}\` for ${where}${question}`, {
    fields: { option: key, where, suggestion },
    hint: suggestion === undefined ? `Known options: ${known.join(', ')}.` : `Write \`${suggestion}\`.`,
  })
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : `of type ${typeof value}`
}
