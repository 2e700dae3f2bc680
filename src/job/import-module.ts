/** Loading files of the user's. */
import { pathToFileURL } from 'node:url'
import { ConfigError } from '../core/errors.ts'

/** Imports a file of the user's, its errors translated into what to do. */
export async function importModule(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>
  } catch (error) {
    throw new ConfigError('CONFIG_INVALID', `${path} cannot be loaded: ${reasonOf(error)}`, {
      fields: { path },
      hint: hintOf(error),
      cause: error,
    })
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? error.name) : String(error)
}

function hintOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  switch (code) {
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
      return 'Node takes types out but does not compile: replace enums, namespaces and parameter properties, or build to JavaScript.'
    case 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING':
      return 'Node does not take types out under node_modules: name the built .js file.'
    case 'ERR_MODULE_NOT_FOUND':
      return 'Check the import: relative ones need their file ending (./resize.ts), packages must be installed.'
    case 'ERR_UNKNOWN_FILE_EXTENSION':
      return 'Use .ts, .mts, .js or .mjs.'
    default:
      return 'Run the file with node to see the whole error.'
  }
}
