/** A bar on stderr for long work: on a terminal only, not with `--quiet` or `--json`, and not before it is worth it. */
import { formatDuration } from '../core/duration.ts'
import type { Output } from './output.ts'

/** A bar that is shown, or one that is not. */
export interface Progress {
  /** So many are done. Cheap: drawn at most ten times a second. */
  update(done: number): void
  /** Takes the bar off the line. May be called twice. */
  stop(): void
}

const NONE: Progress = { update: () => {}, stop: () => {} }
/** Work that is over sooner needs no bar. */
const SHOW_AFTER_MS = 300

/** A bar up to `total`; without a total it is not drawn. */
export async function progressBar(output: Output, title: string, total: number | undefined): Promise<Progress> {
  if (total === undefined || total === 0 || process.stderr.isTTY !== true || output.quiet || output.json) return NONE
  const { SingleBar } = await import('cli-progress')
  const width = Math.max(10, Math.min(30, (process.stderr.columns ?? 80) - 60))
  const bar = new SingleBar({
    format: `${title}  {bar}  {percentage} %  {value}/{total}  {rate}/s  ETA {left}`,
    barCompleteChar: '━',
    barIncompleteChar: '─',
    barsize: width,
    // It cuts lines by itself: a terminal told to hide its cursor or to cut lines would stay so when this process is killed.
    linewrap: true,
    clearOnComplete: true,
    formatValue: (value, _, type) => (type === 'percentage' ? String(value).padStart(3) : value.toLocaleString('en')),
  })
  const startedAt = performance.now()
  let isDrawn = false
  let isOver = false
  return {
    update(done) {
      const elapsedMs = performance.now() - startedAt
      if (isOver || elapsedMs < SHOW_AFTER_MS) return
      // From the whole run: the bar's own guess is 0 at first, and goes in steps of five seconds.
      const told = {
        rate: Math.round((done / elapsedMs) * 1000).toLocaleString('en'),
        left: leftText(elapsedMs, done, total),
      }
      if (!isDrawn) bar.start(total, done, told)
      else bar.update(Math.min(done, total), told)
      isDrawn = true
    },
    stop() {
      if (isDrawn && !isOver) bar.stop()
      isOver = true
    },
  }
}

/** How long the rest takes at this pace, in whole seconds. */
function leftText(elapsedMs: number, done: number, total: number): string {
  const seconds = Math.ceil((elapsedMs / 1000 / Math.max(1, done)) * Math.max(0, total - done))
  return seconds === 0 ? '0s' : formatDuration(seconds * 1000, 2)
}
