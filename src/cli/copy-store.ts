/**
 * Moving house: everything of one store, copied into an empty one.
 *
 * Parts are copied one after the other, in pages. After each page the target notes how far it came, so that a copy that was
 * stopped or killed goes on from there; a page that was written before its note was is written again, which changes nothing.
 * At the end both stores are read once more, and each part has to have the same count and the same checksum on both sides: so a
 * source that was written meanwhile is found out. Only remembered ids that are about to be forgotten need not be the same.
 * Jobs, leases and instants are copied as they are; sealed bytes stay sealed.
 *
 * Nobody may work on the target before it is whole. The note stands there before the first page does, and a worker that starts
 * looks for it (`refuseHalfCopy`); one that was there before, or looked before the note was there, is seen by its row, which is
 * asked for after the note, before each page and before the copy is called whole.
 *
 * After a difference the part that differs and those behind it are copied again by the next call: what the target lacks comes
 * there, what it has is left. Whatever that makes, it is whole only when everything is the same.
 */
import { setImmediate } from 'node:timers/promises'
import { MillraceError } from '../core/errors.ts'
import { type CopyNote, FINISH_COPY, noteCopy, unfinishedCopy } from '../runtime/copy-note.ts'
import { COPY_PARTS, type CopyPart, type Store } from '../store/contract/index.ts'
import { COPY_PAGE, type CopiedPart, comparedIn, isNote, sumOf } from './copy-sums.ts'

/** How a copy is made, told and stopped. */
export interface CopyOptions {
  /** Copies although workers of the source are alive or its jobs run. Default false. */
  readonly force?: boolean
  /** Stops after the page under way; the next call goes on from there. */
  readonly signal?: AbortSignal
  /** Called after each page. */
  readonly onProgress?: (progress: CopyProgress) => void
}

/** How far a copy came in this call. */
export interface CopyProgress {
  readonly part: CopyPart
  /** Items of all parts that were copied or compared so far. */
  readonly done: number
  readonly step: 'copy' | 'verify'
}

/** What a copy did. */
export interface CopyReport {
  /** Whether it went on from where an earlier one had stopped. */
  readonly isResumed: boolean
  /** False when it was stopped by its signal before its end. */
  readonly isComplete: boolean
  /** Running jobs among what was copied: the target takes their leases back when they end, and counts a loss. */
  readonly running: number
  /** What is the same on both sides. Empty unless it is complete. */
  readonly parts: readonly CopiedPart[]
}

const ALIVE_MS = 60_000

/**
 * Copies `from` into `to`; both are open, with tables of their latest version. Throws `COPY_REFUSED`: before anything was written
 * when the target is not empty, the source is a copy that is not whole, or it is in use and `force` is not set; at any time when
 * workers of the target are alive. `force` changes none but that of a source in use. Throws `COPY_DIFFERS` when the two are not
 * the same at the end; the next call then copies what the target lacks. Cost: everything is read twice on the source, written
 * once and read once on the target.
 */
export async function copyStore(from: Store, to: Store, options: CopyOptions = {}): Promise<CopyReport> {
  if (from.description === to.description) throw refused('source and target are the same store', from, to)
  await refuseHalf(from, to)
  const saved = await unfinishedCopy(to)
  if (saved === null) await refuseFilled(from, to)
  else if (saved.from !== from.description) {
    throw refused(`the target holds an unfinished copy of ${saved.from}`, from, to, EMPTY_IT)
  }
  const isResumed = saved !== null
  await refuseWorkers(from, to)
  const running = await refuseBusy(from, to, options.force === true)
  if (!isResumed) await begin(from, to)
  const stopped: CopyReport = { isResumed, isComplete: false, running, parts: [] }
  let done = 0
  const tell = (step: CopyProgress['step'], part: CopyPart, count: number) => {
    done += count
    options.onProgress?.({ part, done, step })
  }
  for (const part of isResumed ? partsFrom(saved.part) : COPY_PARTS) {
    let cursor = part === saved?.part ? saved.cursor : null
    do {
      // A store in a file answers without giving the event loop its turn, in which Ctrl-C is heard.
      await setImmediate()
      if (options.signal?.aborted) return stopped
      await refuseWorkers(from, to)
      cursor = await copyPage(from, to, part, cursor, (count) => tell('copy', part, count))
    } while (cursor !== null)
  }
  const parts = await verify(from, to, options.signal, (part, count) => tell('verify', part, count))
  if (parts === null) return stopped
  await refuseWorkers(from, to)
  await noteCopy(to, { from: from.description, part: 'done', cursor: null })
  return { isResumed, isComplete: true, running, parts }
}

/** The parts that are left when this one is under way. */
function partsFrom(part: CopyNote['part']): readonly CopyPart[] {
  const at = COPY_PARTS.findIndex((one: CopyNote['part']) => one === part)
  return at < 0 ? [] : COPY_PARTS.slice(at)
}

/** Notes that a copy is under way, before there is anything of it that somebody might run. */
async function begin(from: Store, to: Store): Promise<void> {
  await noteCopy(to, { from: from.description, part: COPY_PARTS[0], cursor: null })
  try {
    await refuseWorkers(from, to)
  } catch (error) {
    await noteCopy(to, { from: from.description, part: 'none', cursor: null })
    throw error
  }
}

async function copyPage<P extends CopyPart>(
  from: Store,
  to: Store,
  part: P,
  cursor: string | null,
  tell: (count: number) => void,
): Promise<string | null> {
  const page = await from.copy.read(part, cursor, COPY_PAGE)
  const items = page.items.filter((item) => !isNote(part, item))
  await to.copy.write(part, items)
  const next: CopyNote['part'] = COPY_PARTS[COPY_PARTS.indexOf(part) + 1] ?? 'verify'
  const place = page.next === null ? { part: next, cursor: null } : { part, cursor: page.next }
  await noteCopy(to, { from: from.description, ...place })
  tell(items.length)
  return page.next
}

/** The parts, which are the same on both sides; null when it was stopped. */
async function verify(
  from: Store,
  to: Store,
  signal: AbortSignal | undefined,
  tell: (part: CopyPart, count: number) => void,
): Promise<readonly CopiedPart[] | null> {
  const parts: CopiedPart[] = []
  for (const part of COPY_PARTS) {
    const isCompared = await comparedIn(from, part)
    const theirs = await sumOf(from, part, isCompared, signal, (count) => tell(part, count))
    const ours = await sumOf(to, part, isCompared, signal)
    if (theirs === null || ours === null) return null
    if (theirs.count !== ours.count || theirs.checksum !== ours.checksum) {
      await noteCopy(to, { from: from.description, part, cursor: null })
      throw differs(from, to, theirs, ours)
    }
    parts.push(ours)
  }
  return parts
}

/** A copy of half a store would be called whole, since the note of the half is no part of what is copied. */
async function refuseHalf(from: Store, to: Store): Promise<void> {
  const half = await unfinishedCopy(from)
  if (half !== null) throw refused(`it is itself a copy of ${half.from} that is not whole`, from, to, FINISH_COPY)
}

async function refuseFilled(from: Store, to: Store): Promise<void> {
  for (const part of COPY_PARTS) {
    const { items } = await to.copy.read(part, null, 2)
    if (items.some((item) => !isNote(part, item))) throw refused('the target is not empty', from, to, EMPTY_IT)
  }
}

/** Whoever works on the target runs half a copy. */
async function refuseWorkers(from: Store, to: Store): Promise<void> {
  const { length } = await to.cluster.nodes(ALIVE_MS)
  if (length === 0) return
  const hint = 'Stop them, and run it again: until the copy is whole nobody may work there, also with --force.'
  throw refused(`workers of the target were alive within the last minute: ${length}`, from, to, hint)
}

/** Says how many jobs of the source run; throws when they, or workers of it, are alive. */
async function refuseBusy(from: Store, to: Store, isForced: boolean): Promise<number> {
  const workers = await from.cluster.nodes(ALIVE_MS)
  const { count } = await from.jobs.count({ states: ['processing'] }, 10_000)
  if (isForced) return count
  if (workers.length > 0) throw refused(`${workers.length} of its workers were alive within the last minute`, from, to)
  if (count > 0) throw refused(`${count} of its jobs are running`, from, to)
  return 0
}

const STOP_FIRST = 'Stop workers and producers first. Where running jobs may run again, use --force.'
const EMPTY_IT = 'Copy into a store without jobs. docs/moving.md says how to empty one: "When a copy is not whole".'

function refused(reason: string, from: Store, to: Store, hint = STOP_FIRST): MillraceError {
  return new MillraceError('COPY_REFUSED', `${from.description} is not copied to ${to.description}: ${reason}`, {
    fields: { from: from.description, to: to.description },
    hint,
  })
}

function differs(from: Store, to: Store, theirs: CopiedPart, ours: CopiedPart): MillraceError {
  const told = ({ count, checksum }: CopiedPart) => `${count} (${checksum})`
  return new MillraceError(
    'COPY_DIFFERS',
    `${theirs.part}: ${told(theirs)} in ${from.description}, ${told(ours)} in ${to.description}`,
    {
      fields: { from: from.description, to: to.description, part: theirs.part },
      hint:
        'Something wrote to one of them meanwhile. Stop it, and run it again: what the target lacks is copied then. If they ' +
        'differ still, empty the target: docs/moving.md, "When a copy is not whole".',
    },
  )
}
