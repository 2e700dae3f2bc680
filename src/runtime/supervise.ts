/** `Millrace.supervise`: worker processes under one supervisor. */
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { systemClock } from '../base/clock.ts'
import { Telemetry } from '../base/telemetry.ts'
import { type Duration, parseDuration } from '../core/duration.ts'
import { ConfigError } from '../core/errors.ts'
import { checkOptions } from '../core/options.ts'
import type { RecycleLimits } from '../core/process/recycle.ts'
import { parseSize, type Size } from '../core/size.ts'
import type { WorkerOptions } from '../worker/options.ts'
import type { Program } from '../worker/process/launch.ts'
import { loadConfig, type MillraceConfig } from './config.ts'
import { NodeHandle } from './node-handle.ts'
import type { OpenOptions } from './open-options.ts'
import { createStore, storeUrl } from './store-url.ts'
import type { WorkerPlan } from './worker-plan.ts'

/** When workers are replaced, and how many there are. */
export interface NodeOptions {
  /** Worker processes, default one for each core. */
  readonly processes?: number
  /** A worker whose memory has grown by more than this since it was idle is replaced; beyond twice of it, killed. Default: never. */
  readonly maxMemory?: Size
  /** A worker is replaced after so many jobs, or up to a tenth fewer. Default: as the configuration's `worker` says, else never. */
  readonly maxJobs?: number
  /** A worker is replaced at this age, or up to a tenth sooner. Default: never. */
  readonly maxAge?: Duration
  /** How long a handler may block its worker's event loop before that is killed, default 1 minute. */
  readonly stallLimit?: Duration
}

/** What `Millrace.supervise` is told. */
export interface SuperviseOptions extends NodeOptions {
  /** Modules whose exports are handlers: `new URL('./handlers.js', import.meta.url)`. Each worker process imports them. */
  readonly entry?: URL | string | readonly (URL | string)[]
  /** A `millrace.config.ts`: its store, handlers, keys and worker options hold in each worker process. */
  readonly config?: URL | string
  /** The store's URL. Default: `MILLRACE_STORE`, else the configuration's, else `sqlite:./millrace.db`. */
  readonly store?: string
  readonly retention?: OpenOptions['retention']
  /** How each worker works. What is no JSON, such as middleware, stands in the configuration's module. */
  readonly worker?: Omit<WorkerOptions, 'middleware' | 'maxJobs' | 'drain'>
}

const OPTIONS = [
  'processes',
  'maxMemory',
  'maxJobs',
  'maxAge',
  'stallLimit',
  'entry',
  'config',
  'store',
  'retention',
  'worker',
]
const STALL_LIMIT_MS = 60_000
const MOST_PROCESSES = 256

/** Starts a node: worker processes that import the handlers, and a supervisor in this process. Installs no signal handler. */
export async function supervise(options: SuperviseOptions): Promise<NodeHandle> {
  checkOptions(options, OPTIONS, 'Millrace.supervise')
  const entries = entryUrls(options.entry)
  const config = options.config === undefined ? undefined : pathOf(options.config)
  if (entries.length === 0 && config === undefined) {
    throw new ConfigError('HANDLER_MISSING', 'nothing says where the worker processes find their handlers', {
      hint: "Write: entry: new URL('./handlers.js', import.meta.url), or name a configuration.",
    })
  }
  const loaded = config === undefined ? undefined : await loadConfig(config, process.cwd())
  const isOfConfig = options.store === undefined && !process.env.MILLRACE_STORE && loaded?.config.store !== undefined
  const plan: WorkerPlan = {
    store: storeUrl(isOfConfig ? loaded.config.store : options.store),
    base: isOfConfig ? loaded.folder : process.cwd(),
    entries,
    options: options.worker ?? {},
    ...(config !== undefined && { config }),
    ...(options.retention !== undefined && { retention: options.retention }),
  }
  return startNode(plan, withConfigured(options, loaded?.config), { file: programFile('runtime') })
}

/**
 * The options of a node with what a configuration says of its workers and a supervisor sees to; what is given wins. Throws
 * `CONFIG_INVALID` for `drain`: a node does not end by itself.
 */
export function withConfigured(options: NodeOptions, { worker }: MillraceConfig = {}): NodeOptions {
  if (worker?.drain === true) {
    throw new ConfigError(
      'CONFIG_INVALID',
      '`worker.drain` of the configuration is for one process without a supervisor',
      {
        fields: { option: 'worker.drain' },
        hint: 'Take it out of the configuration; one process is told so by: millrace work --drain',
      },
    )
  }
  const maxJobs = options.maxJobs ?? worker?.maxJobs
  return maxJobs === undefined ? options : { ...options, maxJobs }
}

/** Starts the node of a plan. The values of `options` are checked here. */
export async function startNode(plan: WorkerPlan, options: NodeOptions, program: Program): Promise<NodeHandle> {
  const { processes, stallLimitMs, limits } = nodeSettings(options)
  const node = new NodeHandle({
    clock: systemClock,
    telemetry: new Telemetry(),
    random: Math.random,
    store: await createStore(plan.store, plan.base),
    program,
    plan,
    processes,
    stallLimitMs,
    limits,
  })
  node.start()
  return node
}

/** The path of the program that the worker processes of the library or of the command line run, in the sources or as it was built. */
export function programFile(of: 'runtime' | 'cli'): string {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return fileURLToPath(new URL(`../${of}/worker-main.${ending}`, import.meta.url))
}

interface NodeSettings {
  readonly processes: number
  readonly stallLimitMs: number
  readonly limits: RecycleLimits
}

function nodeSettings({ processes, maxMemory, maxJobs, maxAge, stallLimit }: NodeOptions): NodeSettings {
  return {
    processes: count(processes, 'processes', MOST_PROCESSES) ?? availableParallelism(),
    stallLimitMs:
      stallLimit === undefined ? STALL_LIMIT_MS : positive(parseDuration(stallLimit, 'stallLimit'), 'stallLimit'),
    limits: {
      memoryBytes:
        maxMemory === undefined ? Number.POSITIVE_INFINITY : positive(parseSize(maxMemory, 'maxMemory'), 'maxMemory'),
      jobs: count(maxJobs, 'maxJobs', Number.MAX_SAFE_INTEGER) ?? Number.POSITIVE_INFINITY,
      ageMs: maxAge === undefined ? Number.POSITIVE_INFINITY : positive(parseDuration(maxAge, 'maxAge'), 'maxAge'),
    },
  }
}

function count(value: number | undefined, name: string, max: number): number | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= max)) return value
  throw new ConfigError('CONFIG_INVALID', `${name} is ${String(value)}; it must be a whole number from 1 to ${max}`, {
    fields: { option: name, value },
    hint: `Give a number from 1 to ${max}, or leave it out.`,
  })
}

function positive(value: number, name: string): number {
  if (value > 0) return value
  throw new ConfigError('CONFIG_INVALID', `${name} is 0; it must be above 0`, {
    fields: { option: name, value },
    hint: 'Give more, or leave it out.',
  })
}

function entryUrls(entry: SuperviseOptions['entry']): readonly string[] {
  if (entry === undefined) return []
  const list = Array.isArray(entry) ? entry : [entry]
  return list.map((each) => pathToFileURL(pathOf(each)).href)
}

/** A file by URL, by the text of one, or by a path from the working directory. */
function pathOf(file: URL | string): string {
  if (file instanceof URL) return fileURLToPath(file)
  return file.startsWith('file:') ? fileURLToPath(file) : resolve(file)
}
