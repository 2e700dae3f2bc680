/**
 * Moving house: everything of one store, copied into an empty one.
 *
 * Parts are copied one after the other, in pages. After each page the target notes how far it came, so that a copy that was
 * stopped or killed goes on from there; a page that was written before its note was is written again, which changes nothing.
 * At the end both stores are read once more, and each part has to have the same count and the same checksum on both sides: so a
 * source that was written meanwhile is found out. Jobs, leases and instants are copied as they are; sealed bytes stay sealed.
 */
import { createHash } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import { COPY_PARTS, type CopyPart, type CopyParts, type Store } from '../store/contract/index.ts'

/** How a copy is made, told and stopped. */
export interface CopyOptions {
  /** Copies although workers are alive or jobs run. Default false. */
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

/** A part on both sides: the same. */
export interface CopiedPart {
  readonly part: CopyPart
  readonly count: number
  /** Of what the items say, whatever their order: 16 hexadecimal digits. */
  readonly checksum: string
}

/** What a copy did. */
export interface CopyReport {
  /** Whether it went on from where an earlier one had stopped. */
  readonly isResumed: boolean
  /** False when it was stopped by its signal before its end. */
  readonly isComplete: boolean
  /** Running jobs among what was copied: the target takes their leases back when they end, and counts a loss. */
  readonly running: number
  /** Empty unless it is complete. */
  readonly parts: readonly CopiedPart[]
}

/** Where the target notes how far a copy came. */
const NOTE = 'copy'
const PAGE = 500
const ALIVE_MS = 60_000

interface Note {
  readonly from: string
  readonly part: CopyPart | 'verify' | 'done'
  readonly cursor: string | null
}

/**
 * Copies `from` into `to`; both are open, with tables of their latest version. Throws `COPY_REFUSED` before anything was
 * written: the target is not empty, or the source is in use and `force` is not set. Throws `COPY_DIFFERS` when the two are not
 * the same at the end. Cost: everything is read twice on the source, written once and read once on the target.
 */
export async function copyStore(from: Store, to: Store, options: CopyOptions = {}): Promise<CopyReport> {
  if (from.description === to.description) throw refused('source and target are the same store', from, to)
  const saved = await readNote(to)
  const isResumed = saved !== null && saved.part !== 'done' && saved.from === from.description
  if (!isResumed) await refuseFilled(from, to, saved)
  const running = await refuseBusy(from, to, options.force === true)
  let done = 0
  const tell = (step: CopyProgress['step'], part: CopyPart, count: number) => {
    done += count
    options.onProgress?.({ part, done, step })
  }
  for (const part of isResumed ? partsFrom(saved.part) : COPY_PARTS) {
    let cursor = isResumed && part === saved.part ? saved.cursor : null
    do {
      if (options.signal?.aborted) return { isResumed, isComplete: false, running, parts: [] }
      cursor = await copyPage(from, to, part, cursor, (count) => tell('copy', part, count))
    } while (cursor !== null)
  }
  await writeNote(to, { from: from.description, part: 'verify', cursor: null })
  const parts: CopiedPart[] = []
  for (const part of COPY_PARTS) {
    const theirs = await summed(from, part, options.signal, (count) => tell('verify', part, count))
    const ours = await summed(to, part, options.signal, () => undefined)
    if (theirs === null || ours === null) return { isResumed, isComplete: false, running, parts: [] }
    if (theirs.count !== ours.count || theirs.checksum !== ours.checksum) throw differs(from, to, theirs, ours)
    parts.push(ours)
  }
  await writeNote(to, { from: from.description, part: 'done', cursor: null })
  return { isResumed, isComplete: true, running, parts }
}

/** The parts that are left when this one is under way. */
function partsFrom(part: Note['part']): readonly CopyPart[] {
  const at = COPY_PARTS.findIndex((one: Note['part']) => one === part)
  return at < 0 ? [] : COPY_PARTS.slice(at)
}

async function copyPage<P extends CopyPart>(
  from: Store,
  to: Store,
  part: P,
  cursor: string | null,
  tell: (count: number) => void,
): Promise<string | null> {
  const page = await from.copy.read(part, cursor, PAGE)
  const items = page.items.filter((item) => !isNote(part, item))
  await to.copy.write(part, items)
  const next = COPY_PARTS[COPY_PARTS.indexOf(part) + 1]
  if (page.next !== null) await writeNote(to, { from: from.description, part, cursor: page.next })
  else await writeNote(to, { from: from.description, part: next ?? 'verify', cursor: null })
  tell(items.length)
  return page.next
}

/** Counts a part and sums the hashes of its items, so that their order does not matter; null when it was stopped. */
async function summed<P extends CopyPart>(
  store: Store,
  part: P,
  signal: AbortSignal | undefined,
  tell: (count: number) => void,
): Promise<CopiedPart | null> {
  let count = 0
  let sum = 0n
  let cursor: string | null = null
  do {
    if (signal?.aborted) return null
    const page: Awaited<ReturnType<typeof store.copy.read<P>>> = await store.copy.read(part, cursor, PAGE)
    for (const item of page.items) {
      if (isNote(part, item)) continue
      count++
      sum = BigInt.asUintN(64, sum + hashOf(item))
    }
    cursor = page.next
    tell(page.items.length)
  } while (cursor !== null)
  return { part, count, checksum: sum.toString(16).padStart(16, '0') }
}

function hashOf(item: CopyParts[CopyPart]): bigint {
  const text = JSON.stringify(item, (_, value: unknown) => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    // Drivers name the fields in orders of their own.
    return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  })
  return createHash('sha256').update(text).digest().readBigUInt64BE()
}

async function refuseFilled(from: Store, to: Store, saved: Note | null): Promise<void> {
  if (saved !== null && saved.part !== 'done') {
    throw refused(`the target holds an unfinished copy of ${saved.from}`, from, to)
  }
  for (const part of COPY_PARTS) {
    const { items } = await to.copy.read(part, null, 2)
    if (items.some((item) => !isNote(part, item))) throw refused('the target is not empty', from, to)
  }
}

/** Says how many jobs run; throws when they, or workers, are alive. */
async function refuseBusy(from: Store, to: Store, isForced: boolean): Promise<number> {
  const workers = await from.cluster.nodes(ALIVE_MS)
  const { count } = await from.jobs.count({ states: ['processing'] }, 10_000)
  if (isForced) return count
  if (workers.length > 0) throw refused(`${workers.length} of its workers were alive within the last minute`, from, to)
  if (count > 0) throw refused(`${count} of its jobs are running`, from, to)
  return 0
}

function isNote(part: CopyPart, item: CopyParts[CopyPart]): boolean {
  return part === 'values' && 'value' in item && item.key === NOTE
}

async function readNote(store: Store): Promise<Note | null> {
  const saved = await store.state.get(NOTE)
  // As `writeNote` wrote it.
  return saved === null ? null : (JSON.parse(saved.value) as Note)
}

async function writeNote(store: Store, note: Note): Promise<void> {
  const known = await store.state.get(NOTE)
  if ((await store.state.put(NOTE, JSON.stringify(note), known?.version ?? null)) !== null) return
  throw new MillraceError('COPY_REFUSED', `somebody else copies into ${store.description}`, {
    fields: { to: store.description },
    hint: 'Let one copy run at a time.',
  })
}

function refused(reason: string, from: Store, to: Store): MillraceError {
  return new MillraceError('COPY_REFUSED', `${from.description} is not copied to ${to.description}: ${reason}`, {
    fields: { from: from.description, to: to.description },
    hint: 'Stop workers and producers first, and copy into a store without jobs. Where running jobs may run again, use --force.',
  })
}

function differs(from: Store, to: Store, theirs: CopiedPart, ours: CopiedPart): MillraceError {
  const told = ({ count, checksum }: CopiedPart) => `${count} (${checksum})`
  return new MillraceError(
    'COPY_DIFFERS',
    `${theirs.part}: ${told(theirs)} in ${from.description}, ${told(ours)} in ${to.description}`,
    {
      fields: { from: from.description, to: to.description, part: theirs.part },
      hint: 'Something wrote to one of them meanwhile. Stop it, empty the target, and copy again.',
    },
  )
}
