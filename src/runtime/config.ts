/**
 * The configuration file: `millrace.config.ts` (or `.js`, `.mjs`), found upward from the working directory as far as the first
 * `package.json`. Everything in it has a default.
 */
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { CodecOptions } from '../codec/codec.ts'
import { ConfigError } from '../core/errors.ts'
import { checkOptions } from '../core/options.ts'
import { importModule } from '../job/import-module.ts'
import type { WorkerOptions } from '../worker/options.ts'
import type { OpenOptions } from './open-options.ts'

/** What `millrace.config.ts` may say. */
export interface MillraceConfig {
  /** The store's URL; relative paths count from the configuration's folder. Default `sqlite:./millrace.db`. */
  readonly store?: string
  /** Files with handlers: one or several globs, from the configuration's folder. */
  readonly handlers?: string | readonly string[]
  /** Jobs that run at a time in one worker, default 10. */
  readonly concurrency?: number
  /** Queues that workers serve, default every queue. */
  readonly queues?: WorkerOptions['queues']
  /** How long finished jobs are kept: `{ completed: '7d', failed: '30d', cancelled: '1d' }`. */
  readonly retention?: OpenOptions['retention']
  /** Keys and compression of payloads. */
  readonly encryption?: CodecOptions
  /** Anything else a worker can be told. */
  readonly worker?: Omit<WorkerOptions, 'concurrency' | 'queues'>
}

/** A configuration and where it stands. */
export interface LoadedConfig {
  readonly config: MillraceConfig
  /** The folder that its relative paths count from. */
  readonly folder: string
  /** Null when there is none and everything is at its default. */
  readonly path: string | null
}

const NAMES = ['millrace.config.ts', 'millrace.config.mts', 'millrace.config.js', 'millrace.config.mjs']
const OPTIONS = ['store', 'handlers', 'concurrency', 'queues', 'retention', 'encryption', 'worker']

/** Gives the configuration its type; it is returned as it is. */
export function defineConfig(config: MillraceConfig): MillraceConfig {
  return config
}

/** The path of the nearest configuration, or null. */
function findConfig(from: string): string | null {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const found = NAMES.map((name) => join(folder, name)).find((path) => existsSync(path))
    if (found !== undefined) return found
    if (existsSync(join(folder, 'package.json')) || folder === dirname(folder)) return null
  }
}

/** Loads the configuration that was named, else the nearest one, else none. Throws `CONFIG_INVALID`. */
export async function loadConfig(named: string | undefined, from: string): Promise<LoadedConfig> {
  const path = named === undefined ? findConfig(from) : resolve(from, named)
  if (path === null) return { config: {}, folder: resolve(from), path: null }
  if (!existsSync(path)) {
    throw new ConfigError('CONFIG_INVALID', `there is no configuration ${path}`, {
      fields: { path },
      hint: 'Name an existing file with --config, or leave it out to use the nearest millrace.config.ts.',
    })
  }
  const config = (await importModule(path)).default
  if (typeof config !== 'object' || config === null) {
    throw new ConfigError('CONFIG_INVALID', `${path} has no default export with a configuration`, {
      fields: { path },
      hint: "Write: export default defineConfig({ handlers: './jobs/**/*.handler.ts' })",
    })
  }
  checkOptions(config, OPTIONS, path)
  checkKinds(config, path)
  // Its keys are known now; the values are checked by whoever takes them.
  return { config: config as MillraceConfig, folder: dirname(path), path }
}

function checkKinds(config: object, path: string): void {
  const { store, handlers }: { readonly store?: unknown; readonly handlers?: unknown } = config
  const isGlobs =
    typeof handlers === 'string' || (Array.isArray(handlers) && handlers.every((g) => typeof g === 'string'))
  const wrong =
    store !== undefined && typeof store !== 'string'
      ? 'store'
      : handlers !== undefined && !isGlobs
        ? 'handlers'
        : undefined
  if (wrong === undefined) return
  throw new ConfigError('CONFIG_INVALID', `\`${wrong}\` in ${path} is not text`, {
    fields: { path, option: wrong },
    hint:
      wrong === 'store'
        ? "Write: store: 'sqlite:./millrace.db'"
        : "Write: handlers: './jobs/**/*.handler.ts', or a list.",
  })
}
