/** Where a job runs: beside its neighbours, or in an isolate, a thread or a process that runs one job at a time. */
import { ConfigError } from '../core/errors.ts'
import { checkOptions } from '../core/options.ts'
import { parseSize, type Size } from '../core/size.ts'

/** `none`: in the worker itself. */
export type IsolateKind = 'none' | 'thread' | 'process'

/** Where a job runs, and how much it may hold there. */
export interface IsolateOptions {
  readonly in: 'thread' | 'process'
  /** The most that its JavaScript heap may hold, 16 MiB and up, such as `128mb`. Buffers count elsewhere. Default: as much as Node takes. */
  readonly memory?: Size
}

/** The same, whole. */
export interface Isolation {
  readonly in: 'thread' | 'process'
  /** In MiB, as V8 counts it; undefined: no limit but Node's own. */
  readonly memoryMib: number | undefined
}

const KINDS: readonly IsolateKind[] = ['none', 'thread', 'process']
const MIB = 2 ** 20
/** Node itself and a few modules need about half of it. */
const LEAST_MIB = 16

/** What `isolate` of a definition says; undefined for `none`. Throws `DEFINITION_INVALID` or `SIZE_INVALID`. */
export function parseIsolation(option: IsolateKind | IsolateOptions, jobName: string): Isolation | undefined {
  if (typeof option === 'object' && option !== null) {
    checkOptions(option, ['in', 'memory'], `isolate of ${jobName}`)
    if (!isKind(option.in) || (option.in as string) === 'none') throw invalid(jobName, option.in)
    return { in: option.in, memoryMib: option.memory === undefined ? undefined : mibOf(option.memory, jobName) }
  }
  if (!isKind(option)) throw invalid(jobName, option)
  return option === 'none' ? undefined : { in: option, memoryMib: undefined }
}

function isKind(value: unknown): value is IsolateKind {
  return KINDS.some((kind) => kind === value)
}

function mibOf(memory: Size, jobName: string): number {
  const mib = Math.floor(parseSize(memory, `isolate.memory of ${jobName}`) / MIB)
  if (mib >= LEAST_MIB) return mib
  throw new ConfigError(
    'DEFINITION_INVALID',
    `isolate.memory of ${jobName} is ${String(memory)}: too little to run in`,
    {
      fields: { name: jobName, memory },
      hint: `Give it at least ${LEAST_MIB}mib, or leave it out.`,
    },
  )
}

function invalid(jobName: string, value: unknown): ConfigError {
  return new ConfigError(
    'DEFINITION_INVALID',
    `\`isolate\` of ${jobName} is ${JSON.stringify(value) ?? typeof value}`,
    {
      fields: { name: jobName, isolate: value },
      hint: "Write 'none', 'thread', 'process', or { in: 'process', memory: '128mb' }.",
    },
  )
}
