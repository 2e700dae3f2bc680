/** What a change would meet, shown on stderr before it is asked about or made: how many jobs, and some of them. */
import type { Preview } from '../client/control-where.ts'
import { clean, type Output, paint, say, timeText } from './output.ts'

/** Ends what a dry run says. */
export const NOTHING_CHANGED = 'Nothing was changed: this was a dry run.'

/** What things are called, one and several of them. */
export type Noun = readonly [one: string, many: string]

/** Samples that are shown. */
const SAMPLES = 3

/** So many things: `1 job`, `10,000+ jobs`. */
export function someOf([one, many]: Noun, count: number, capped = false): string {
  return `${count.toLocaleString('en')}${capped ? '+' : ''} ${count === 1 ? one : many}`
}

/**
 * Says how many jobs match, and the newest three: on a terminal in lines no wider than it, ids shortened so that the errors have
 * room, else whole, with instants as programs write them. Nothing with `--quiet` or `--json`.
 */
export function tellPreview(output: Output, { count, capped, jobs }: Preview, noun: Noun): void {
  const isTerminal = process.stderr.isTTY === true
  const dim = (line: string) => (isTerminal ? paint(output, 'dim', cut(line, process.stderr.columns ?? 80)) : line)
  const shown = jobs.slice(0, SAMPLES)
  const columns = [shown.map((job) => clean(job.name)), shown.map((job) => clean(job.queue))]
  const [names = [], queues = []] = columns.map(padded)
  say(output, `${someOf(noun, count, capped)} ${count === 1 ? 'matches' : 'match'}:`)
  for (const [i, job] of shown.entries()) {
    const error = job.error === null ? [] : [clean(`${job.error.name}: ${job.error.message}`)]
    const created = timeText({ ...output, isTerminal }, job.createdAt)
    const id = isTerminal ? `${job.id.slice(0, 8)}…${job.id.slice(-4)}` : job.id
    const cells = [id, names[i], queues[i], job.state, created, ...error]
    say(output, dim(`  ${cells.join('  ')}`))
  }
  if (count > shown.length)
    say(output, dim(`  … and ${(count - shown.length).toLocaleString('en')}${capped ? '+' : ''} more`))
}

/** The same for programs. */
export function previewJson({ count, capped, jobs }: Preview): Readonly<Record<string, unknown>> {
  return { dryRun: true, matched: count, capped, jobs: jobs.slice(0, SAMPLES) }
}

function padded(texts: readonly string[]): readonly string[] {
  const widest = Math.max(...texts.map((text) => text.length))
  return texts.map((text) => text.padEnd(widest))
}

function cut(line: string, width: number): string {
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`
}
