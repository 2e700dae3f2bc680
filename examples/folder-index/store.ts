/**
 * The store that the jobs are kept in: `--store`, else `MILLRACE_STORE`, else a file of the output folder.
 *
 * It may be an app's own. So the run's jobs have names and a queue of their own (jobs.ts, run.ts), and its worker deletes no
 * finished job of anybody: how long those are kept is for the app's workers to say.
 */
import { join, relative } from 'node:path'
import { Millrace } from 'millrace'
import { Refused } from './failure.ts'

const KEPT = '3650d'
/** What a run keeps, for its worker processes too. */
export const RETENTION = { completed: KEPT, failed: KEPT, cancelled: KEPT } as const
/** Where a run tells its worker processes the store: a URL may hold a password, which has no place among arguments. */
const RUN_STORE = 'FOLDER_INDEX_STORE'

/** Which store, and the words by which `npx millrace` finds it. */
export interface NamedStore {
  readonly url: string
  /** ` --store URL`; empty when the URL stands in the environment, or should because it has a password. */
  readonly flag: string
  /** The URL was given with a password that no command of ours repeats. */
  readonly isSecret: boolean
}

/** The store to use. */
export function nameStore(given: string | undefined, out: string): NamedStore {
  const fromEnv = process.env.MILLRACE_STORE
  if (given === undefined && fromEnv) return { url: fromEnv, flag: '', isSecret: false }
  const own = (folder: string) => `sqlite:${join(folder, 'index.db').replace(/[%?]/g, encodeURIComponent)}`
  const url = given ?? own(out)
  const isSecret = hasPassword(url)
  return { url, flag: isSecret ? '' : ` --store ${quoted(given ?? own(shortPath(out)))}`, isSecret }
}

/** Opens it, and makes its tables where they are missing. Nothing has been planned or changed before it answers. */
export async function openStore(url: string): Promise<Millrace> {
  const mill = await Millrace.open({ store: url, retention: RETENTION })
  if (mill.store.capabilities.persistent) return mill
  await mill.close()
  throw new Refused(
    `${mill.store.description} keeps nothing when this process ends`,
    'Use sqlite:PATH, postgres://USER:PASSWORD@HOST:PORT/DATABASE or mysql://…',
  )
}

/** Tells the worker processes that are started from now on. */
export function tellStore(url: string): void {
  process.env[RUN_STORE] = url
}

/** What the run that started this worker process has told. */
export function storeOfRun(): string {
  const url = process.env[RUN_STORE]
  if (url === undefined) throw new Error('handlers.ts is for the worker processes of main.ts')
  return url
}

/** The files of a store on a file: they change while they are read. */
export function filesOf(mill: Millrace): readonly string[] {
  const { file } = mill.store
  return file === null ? [] : [file, `${file}-wal`, `${file}-shm`]
}

/** Whoever may list the processes of a machine sees their arguments: takes a password out of ours. */
export function hidePassword(words: readonly string[]): void {
  const shown = words.map((word) => word.replace(/:\/\/\S*@/, '://•••@'))
  if (shown.join() !== words.join()) process.title = ['folder-index', ...shown].join(' ')
}

/** A path as it is typed here: relative where it lies beneath. */
export function shortPath(path: string): string {
  const short = relative(process.cwd(), path)
  return short === '' || short.startsWith('..') ? path : short
}

function hasPassword(url: string): boolean {
  return URL.canParse(url) && new URL(url).password !== ''
}

/** As a shell takes it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
