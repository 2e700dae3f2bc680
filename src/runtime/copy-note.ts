/**
 * What the target of `store copy` notes of how far it came. Until the copy is whole nobody may work there: a job that ends
 * before what depends on it was written leaves that waiting for ever.
 */
import { ConfigError, MillraceError } from '../core/errors.ts'
import type { CopyPart, Store } from '../store/contract/index.ts'

/** The shared value that holds the note. It is no part of what is copied. */
export const COPY_NOTE = 'copy'

/** How far a copy came. */
export interface CopyNote {
  /** What is copied, as its store describes itself. */
  readonly from: string
  /** The part under way; `verify`: all was written; `none`: refused before anything was. */
  readonly part: CopyPart | 'verify' | 'done' | 'none'
  /** Where the next page of the part begins. */
  readonly cursor: string | null
}

/** The note of a copy that has begun in this store and is not whole, or null. Cost: one read. */
export async function unfinishedCopy(store: Store): Promise<CopyNote | null> {
  const saved = await store.state.get(COPY_NOTE)
  // As `noteCopy` wrote it.
  const note = saved === null ? null : (JSON.parse(saved.value) as CopyNote)
  return note?.part === 'done' || note?.part === 'none' ? null : note
}

/** Writes the note. Throws `COPY_REFUSED` when somebody else writes it too. */
export async function noteCopy(store: Store, note: CopyNote): Promise<void> {
  const known = await store.state.get(COPY_NOTE)
  if ((await store.state.put(COPY_NOTE, JSON.stringify(note), known?.version ?? null)) !== null) return
  throw new MillraceError('COPY_REFUSED', `somebody else copies into ${store.description}`, {
    fields: { to: store.description },
    hint: 'Let one copy run at a time.',
  })
}

/** What to do about a copy that is not whole. */
export const FINISH_COPY =
  'Finish it with `millrace store copy`, or empty the store and begin anew: docs/moving.md, "When a copy is not whole".'

/** Returns when no copy is under way in this store. Throws `COPY_UNFINISHED`. For whoever is about to run its jobs. */
export async function refuseHalfCopy(store: Store): Promise<void> {
  const note = await unfinishedCopy(store)
  if (note === null) return
  throw new ConfigError('COPY_UNFINISHED', `${store.description} holds a copy of ${note.from} that is not whole`, {
    fields: { store: store.description, from: note.from, part: note.part },
    hint: FINISH_COPY,
  })
}
