/** How far a run is: a bar with rate and remaining time on a terminal, a line now and then elsewhere. On stderr. */
import { type Options, SingleBar } from 'cli-progress'

export interface Progress {
  /** Tells how many files are done. */
  update(done: number): void
  /** Shows how far it came. */
  end(done: number): void
}

const LINE_EVERY_MS = 5000
/** What stands beside the bar and the two counts of files: the rest of the line is the bar's. */
const WORDS_OF_BAR = 48

export function startProgress(total: number, done: number): Progress {
  return process.stderr.isTTY ? bar(total, done) : lines(total, done)
}

function bar(total: number, done: number): Progress {
  const startedAt = performance.now()
  const columns = process.stderr.columns || 80
  const options: Options = {
    format: 'Indexing  {bar}  {percentage} %  {value}/{total} files  {rate}/s  ETA {eta_formatted}',
    barCompleteChar: '━',
    barIncompleteChar: '─',
    barsize: Math.max(5, Math.min(40, columns - WORDS_OF_BAR - 2 * String(total).length)),
    // Cut at the edge by itself: a terminal told to hide its cursor or to cut lines would stay so after `kill -9`.
    linewrap: true,
    fps: 10,
    etaBuffer: 200,
  }
  const shown = new SingleBar(options)
  shown.start(total, done, { rate: '–' })
  return {
    update: (now) => shown.update(now, { rate: rate(now - done, startedAt) }),
    end(last) {
      shown.update(last, { rate: rate(last - done, startedAt) })
      shown.stop()
    },
  }
}

function lines(total: number, done: number): Progress {
  const startedAt = performance.now()
  let toldAt = startedAt
  return {
    update(now) {
      if (performance.now() - toldAt < LINE_EVERY_MS) return
      toldAt = performance.now()
      console.error(`${now} of ${total} files, ${rate(now - done, startedAt)}/s`)
    },
    end() {},
  }
}

function rate(files: number, since: number): string {
  return Math.round((files / Math.max(1, performance.now() - since)) * 1000).toLocaleString('en')
}
