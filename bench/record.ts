/** What a run leaves: one JSON line for each scenario, from which the table can be printed again. */
import { readFileSync } from 'node:fs'
import type { StoreName } from './places.ts'
import type { Line } from './scenario.ts'

/** What one process printed; null where this machine cannot tell. */
export type Figures = Readonly<Record<string, number | null>>

export interface SideRecord {
  readonly name: string
  readonly settings: Readonly<Record<string, unknown>>
  /** In the order of the rounds: the first of one side was measured beside the first of the others. */
  readonly runs: readonly Figures[]
  /** Why there are fewer runs than there should be. */
  readonly failed?: string
}

export interface ScenarioRecord {
  readonly at: string
  readonly machine: string
  readonly command: string
  /** Absent in files from when there was only SQLite. */
  readonly store?: StoreName
  readonly key: string
  readonly id: string
  readonly lines: readonly Line[]
  readonly sides: readonly SideRecord[]
}

/** Reads a file of JSON lines; of a scenario that stands in it twice the last counts. Throws a sentence when it is no such file. */
export function readRecords(path: string): readonly ScenarioRecord[] {
  const byId = new Map<string, ScenarioRecord>()
  const lines = readFileSync(path, 'utf8').split('\n')
  for (const [i, text] of lines.entries()) {
    if (text.trim() === '') continue
    const record = parse(text)
    if (record === undefined) throw new Error(`${path}:${i + 1} is not a line that bench --json writes`)
    byId.set(record.id, record)
  }
  return [...byId.values()]
}

function parse(text: string): ScenarioRecord | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return undefined
    // Whoever edits a recorded file by hand sees what they wrote; only another kind of file is to be told.
    return 'id' in value && 'sides' in value && 'lines' in value ? (value as ScenarioRecord) : undefined
  } catch {
    return undefined // Not JSON: the caller says where.
  }
}
