/**
 * Which attempts a worker process has begun, written where its supervisor can read it when that process is gone: a list in a file
 * without a name, on an inherited descriptor. A process that is killed, crashes or runs out of memory says nothing any more, and
 * the jobs that it had only fetched must not be taken for the one that killed it. A stalled process keeps its leases by it too.
 *
 * A write costs more than a microsecond, a short job as much. So jobs that may all start now are announced together in the first
 * part of the list, and only what then goes on running gets a place of its own in the second. What has ended is not crossed out:
 * its place is written over by the next, and the store knows whether the attempt was settled. So the list holds all that runs, and
 * at most the jobs that would have run next.
 */
import { closeSync, fstatSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import type { ClaimedJob, Lease } from '../../store/contract/index.ts'
import type { Fetched, Fetcher } from '../fetcher.ts'
import type { RunningJob } from '../running-job.ts'

/** The descriptor on which a worker process finds its list. */
export const LIST_FD = 4
/** The most jobs that are announced together. */
const ANNOUNCED = 64
/** An id of 36 characters, a space, the epoch, a plus for one that runs apart, spaces. */
const ENTRY_BYTES = 56
const ID_CHARS = 36
const ENTRY = /^([0-9a-f-]{36}) (\d{1,10})( \+)? *$/

/** The list as the worker writes it. */
export class RunningList {
  readonly #fd: number
  readonly #bytes = Buffer.alloc(ANNOUNCED * ENTRY_BYTES, ' ')
  readonly #freePlaces: number[] = []
  #places = 0
  /** How many entries stand in the first part. */
  #announced = 0
  /** How many of those announced are still to come. */
  #coming = 0
  /** The place that the next job has been given before it begins; -1: none. */
  #reserved = -1
  /** Begun since the last announcement, and still running when their handler returned. */
  #unplaced: RunningJob[] = []
  #isBroken = false
  #isApart: (job: ClaimedJob) => boolean = () => false

  /** `fd`: a file open for writing that nobody else writes. */
  constructor(fd: number) {
    this.#fd = fd
  }

  /** Says which jobs run in processes of their own: whatever ends this one, it was none of them. */
  setApart(isApart: (job: ClaimedJob) => boolean): void {
    this.#isApart = isApart
  }

  /** A new turn: what was announced and has not begun will not begin now. */
  beginTurn(): void {
    this.#coming = 0
  }

  /** Call before each job begins: `room` is how many may, it included, before one has ended, and `waiting` those behind it. */
  beforeStart(first: Fetched, waiting: Pick<Fetcher, 'peek'>, room: number): void {
    if (this.#coming > 0) {
      this.#coming--
      return
    }
    // What was announced before is about to be written over.
    this.endTurn()
    const next = waiting.peek(Math.min(room, ANNOUNCED) - 1)
    this.#put(0, first.job)
    if (next.length === 0) {
      this.#reserved = this.#freePlace()
      this.#write(1, ANNOUNCED + this.#reserved)
      return
    }
    for (const [i, { job }] of next.entries()) this.#put(i + 1, job)
    this.#write(next.length + 1, 0)
    this.#announced = Math.max(this.#announced, next.length + 1)
    this.#coming = next.length
  }

  /** Fetched jobs go back to the store, and some may have been announced: if this process ended now, it was none of them. Call between starts. */
  withdraw(): void {
    this.#coming = 0
    if (this.#announced === 0) return
    // What has begun keeps a place of its own.
    this.endTurn()
    this.#bytes.fill(' ', 0, this.#announced * ENTRY_BYTES)
    this.#write(this.#announced, 0)
    this.#announced = 0
  }

  /** Call once the job has begun, whether it is over or goes on. */
  afterStart(job: RunningJob): void {
    const reserved = this.#reserved
    this.#reserved = -1
    if (job.isOver) {
      if (reserved >= 0) this.#freePlaces.push(reserved)
    } else if (reserved >= 0) job.place = reserved
    else this.#unplaced.push(job)
  }

  /** Gives what goes on running places of its own. Call when nothing more begins in this turn. */
  endTurn(): void {
    if (this.#unplaced.length === 0) return
    for (const job of this.#unplaced) {
      if (job.isOver) continue
      job.place = this.#freePlace()
      this.#put(0, job.claimed)
      this.#write(1, ANNOUNCED + job.place)
    }
    this.#unplaced = []
  }

  /** The job has ended: its place may be another's. */
  ended(job: RunningJob): void {
    if (job.place < 0) return
    this.#freePlaces.push(job.place)
    job.place = -1
  }

  #freePlace(): number {
    return this.#freePlaces.pop() ?? this.#places++
  }

  #put(at: number, job: ClaimedJob): void {
    const apart = this.#isApart(job) ? ' +' : ''
    this.#bytes.write(`${job.id} ${job.epoch}${apart}`.padEnd(ENTRY_BYTES), at * ENTRY_BYTES, 'latin1')
  }

  #write(count: number, at: number): void {
    if (this.#isBroken) return
    try {
      writeSync(this.#fd, this.#bytes, 0, count * ENTRY_BYTES, at * ENTRY_BYTES)
    } catch {
      // A list that cannot be written accuses nobody: what was lost is taken back as when a whole machine is.
      this.#isBroken = true
    }
  }
}

/** The file of a list as the supervisor holds it. */
export class RunningListFile {
  readonly fd: number

  /** Makes it in `folder`. It has no name, so that it is gone with the last process that has it open. */
  constructor(folder: string, name: string) {
    const path = `${folder}/${name}`
    this.fd = openSync(path, 'wx+', 0o600)
    unlinkSync(path)
  }

  /** The attempts that its worker has begun, those that are over included. */
  read(): readonly Lease[] {
    return entriesOf(this.fd).map(({ lease }) => lease)
  }

  /** Those of them that ran in the worker's own process. */
  readOwn(): readonly Lease[] {
    return entriesOf(this.fd).flatMap(({ lease, isApart }) => (isApart ? [] : [lease]))
  }

  close(): void {
    closeSync(this.fd)
  }
}

function entriesOf(fd: number): readonly { readonly lease: Lease; readonly isApart: boolean }[] {
  const bytes = Buffer.alloc(fstatSync(fd).size)
  const length = bytes.length === 0 ? 0 : readSync(fd, bytes, 0, bytes.length, 0)
  const entries: { readonly lease: Lease; readonly isApart: boolean }[] = []
  for (let at = 0; at + ID_CHARS < length; at += ENTRY_BYTES) {
    const [, id, epoch, apart] = ENTRY.exec(bytes.toString('latin1', at, at + ENTRY_BYTES)) ?? []
    if (id !== undefined) entries.push({ lease: { id, epoch: Number(epoch) }, isApart: apart !== undefined })
  }
  return entries
}
