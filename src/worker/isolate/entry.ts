/** Where isolates load handlers from. */
import { existsSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ConfigError } from '../../core/errors.ts'
import type { BoundHandler } from '../../job/handle.ts'

/** A module's URL or absolute path, a list of them, or one for each job by its name. */
export type Entry = URL | string | readonly (URL | string)[] | Readonly<Record<string, URL | string>>

/** The same as URLs: those that are tried for every job, and those of some jobs by name. */
export interface Entries {
  readonly all: readonly string[]
  readonly byName: ReadonlyMap<string, string>
}

const WRITE = "Write: entry: new URL('./handlers.js', import.meta.url), the module whose exports are the handlers."

/** Checks `entry` of a worker's options: each has to be an existing file. Throws `CONFIG_INVALID`. */
export function parseEntry(entry: Entry | undefined): Entries {
  if (entry === undefined) return { all: [], byName: new Map() }
  if (typeof entry === 'string' || entry instanceof URL) return { all: [urlOf(entry)], byName: new Map() }
  if (isList(entry)) return { all: entry.map(urlOf), byName: new Map() }
  if (typeof entry !== 'object' || entry === null) throw invalid(String(entry), 'it names no module')
  return { all: [], byName: new Map(Object.entries(entry).map(([name, module]) => [name, urlOf(module)])) }
}

/** The modules in which a handler is looked for: the one that is named for it, else the file that it came from, else all. */
export function entryOf({ definition, file }: BoundHandler, entries: Entries): readonly string[] {
  const named = [definition.name, ...definition.aliases].map((name) => entries.byName.get(name))
  const own = named.find((url) => url !== undefined) ?? (file === undefined ? undefined : pathToFileURL(file).href)
  return own === undefined ? entries.all : [own]
}

/** What is thrown at `work` when a job is to be isolated and nobody knows where its handler can be loaded from. */
export function entryMissing(jobName: string): ConfigError {
  return new ConfigError(
    'CONFIG_INVALID',
    `${jobName} runs in an isolate, which has to load its handler, and no \`entry\` says from where`,
    { fields: { option: 'entry', name: jobName }, hint: `${WRITE.slice(0, -1)} beside the other options of work().` },
  )
}

function isList(entry: Entry): entry is readonly (URL | string)[] {
  return Array.isArray(entry)
}

function urlOf(module: URL | string): string {
  const url = module instanceof URL ? module : typeof module === 'string' ? fromText(module) : undefined
  if (url === undefined || url.protocol !== 'file:')
    throw invalid(String(module), 'it is neither a file URL nor an absolute path')
  if (!existsSync(fileURLToPath(url))) throw invalid(fileURLToPath(url), 'there is no such file')
  return url.href
}

function fromText(text: string): URL | undefined {
  if (isAbsolute(text)) return pathToFileURL(text)
  return URL.canParse(text) ? new URL(text) : undefined
}

function invalid(value: string, reason: string): ConfigError {
  return new ConfigError('CONFIG_INVALID', `\`entry\` is ${value}: ${reason}`, {
    fields: { option: 'entry', value, reason },
    hint: WRITE,
  })
}
