/**
 * What the command line prints. Data goes to stdout: a table on a terminal, tab-separated lines without a head when piped, one
 * JSON document with `--json`. Everything else goes to stderr. Text that comes from jobs is shown with its control characters
 * spelt out, so that it cannot move the cursor or colour the screen.
 */
import { styleText } from 'node:util'
import { formatDuration } from '../core/duration.ts'
import type { JobState } from '../core/job/state.ts'

/** How this run prints. */
export interface Output {
  readonly json: boolean
  readonly quiet: boolean
  readonly color: boolean
  readonly isTerminal: boolean
}

const GLYPHS: Readonly<Record<JobState, readonly [glyph: string, style: 'green' | 'red' | 'yellow' | 'cyan' | 'dim']>> =
  {
    blocked: ['◇', 'dim'],
    scheduled: ['◷', 'cyan'],
    pending: ['○', 'cyan'],
    processing: ['◐', 'yellow'],
    retrying: ['↻', 'yellow'],
    completed: ['✓', 'green'],
    failed: ['✕', 'red'],
    cancelled: ['⊘', 'dim'],
  }

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g
/** Those of them that JSON does not escape by itself. */
const INVISIBLE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** Text of a stranger with its control characters spelt out. */
export function clean(text: string): string {
  return text.replace(CONTROL, escaped)
}

function escaped(sign: string): string {
  return `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** One JSON document. */
export function printJson(value: unknown): void {
  console.log(jsonText(value, process.stdout.isTTY ? 2 : 0))
}

/** JSON that moves no cursor and turns no text around: what JSON leaves as it is of such characters is escaped too. */
export function jsonText(value: unknown, indent = 0): string {
  return (JSON.stringify(value, null, indent) ?? 'null').replace(INVISIBLE, escaped)
}

/** A line about what was done; not with `--quiet` or `--json`. */
export function say(output: Output, line: string): void {
  if (!output.quiet && !output.json) console.error(line)
}

/** A state with its sign and colour on a terminal, its word elsewhere. */
export function stateText(output: Output, state: JobState): string {
  if (!output.isTerminal) return state
  const [glyph] = GLYPHS[state]
  return `${glyph} ${state}`
}

/** Colours text when the terminal wants it. */
export function paint(output: Output, style: 'green' | 'red' | 'yellow' | 'dim' | 'bold', text: string): string {
  return output.color ? styleText(style, text, { validateStream: false }) : text
}

/** A count: with separators on a terminal, bare digits elsewhere. */
export function countText(output: Output, count: number): string {
  return output.isTerminal ? count.toLocaleString('en') : String(count)
}

/** Text of several lines, or longer than the terminal is wide, with what follows the first line indented. */
export function hanging(output: Output, text: string, indent: number): string {
  const width = output.isTerminal ? Math.max(20, (process.stdout.columns ?? 80) - indent) : Number.POSITIVE_INFINITY
  const lines = text.split('\n').flatMap((line) => folded(line, width))
  return lines.join(`\n${' '.repeat(indent)}`)
}

function folded(line: string, width: number): readonly string[] {
  const lines: string[] = []
  let rest = line
  while (rest.length > width) {
    const space = rest.lastIndexOf(' ', width)
    // A word that is longer than half a line is cut wherever the line ends.
    const at = space > width / 2 ? space : width
    lines.push(rest.slice(0, at))
    rest = rest.slice(at).trimStart()
  }
  return [...lines, rest]
}

/** A duration as people read it: `8ms`, `1.96s`, `4m12s`. */
export function spanText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`
  return ms < 60_000 ? `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)}s` : formatDuration(Math.round(ms / 1000) * 1000, 2)
}

/** An instant: how long ago or ahead on a terminal, ISO 8601 elsewhere. */
export function timeText(output: Output, at: Date | null): string {
  if (at === null) return output.isTerminal ? '–' : ''
  if (!output.isTerminal) return at.toISOString()
  const ms = at.getTime() - Date.now()
  const text = formatDuration(Math.abs(ms) < 1000 ? Math.abs(ms) : Math.round(Math.abs(ms) / 1000) * 1000, 2)
  return ms > 0 ? `in ${text}` : `${text} ago`
}
