/** Tables: aligned and no wider than the terminal for people, tab-separated and whole for programs. */
import { clean, type Output } from './output.ts'

/** A column on a terminal. Elsewhere every column is printed whole. */
export interface Column {
  readonly head: string
  /** May be cut to so many characters where the line is too narrow. */
  readonly shrinkTo?: number
  /** May be left out where the line is too narrow; the higher the sooner. */
  readonly drop?: number
  readonly isNumber?: boolean
}

/** A table of rows that are data: aligned and no wider than the terminal for people, bare cells for programs. */
export async function printRows(
  output: Output,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): Promise<void> {
  if (!output.isTerminal) {
    for (const row of rows) console.log(row.map(clean).join('\t'))
    return
  }
  const cells = rows.map((row) => row.map(clean))
  const widths = columnWidths(columns, cells, process.stdout.columns ?? 80)
  const shown = columns.flatMap((column, i) => ((widths[i] ?? 0) > 0 ? [{ column, i, width: widths[i] ?? 0 }] : []))
  const { default: Table } = await import('cli-table3')
  const table = new Table({
    head: shown.map(({ column }) => column.head.toUpperCase()),
    chars: BORDERLESS,
    colWidths: shown.map(({ width }) => width),
    colAligns: shown.map(({ column }) => (column.isNumber === true ? 'right' : 'left')),
    style: { head: output.color ? ['dim'] : [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  table.push(...cells.map((row) => shown.map(({ i }) => row[i] ?? '')))
  console.log(table.toString().replace(/ +$/gm, ''))
}

const BORDERLESS = {
  ...Object.fromEntries(
    ['top', 'bottom', 'mid', 'left', 'right'].flatMap((side) =>
      ['', '-mid', '-left', '-right', '-middle'].map((part) => [`${side}${part}`, '']),
    ),
  ),
  middle: '  ',
}

/** The width of each column, 0 for one that is left out: columns without content go first, then some are cut, then left out. */
function columnWidths(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  lineWidth: number,
): readonly number[] {
  const natural = columns.map(({ head, drop }, i) => {
    const widest = Math.max(0, ...rows.map((row) => row[i]?.length ?? 0))
    return widest === 0 && drop !== undefined ? 0 : Math.max(head.length, widest)
  })
  const least = (widths: readonly number[]) =>
    widths.map((width, i) => Math.min(width, Math.max(columns[i]?.shrinkTo ?? width, columns[i]?.head.length ?? 0)))
  const total = (widths: readonly number[]) => widths.reduce((sum, width) => sum + (width > 0 ? width + 2 : 0), -2)
  const widths = [...natural]
  const order = columns.map(({ drop }, i) => ({ drop: drop ?? 0, i })).sort((a, b) => b.drop - a.drop)
  for (const { drop, i } of order) {
    if (drop === 0 || total(least(widths)) <= lineWidth) break
    widths[i] = 0
  }
  const smallest = least(widths)
  for (let over = total(widths) - lineWidth; over > 0; over--) {
    // The one that has the most to give.
    const slack = widths.map((width, i) => width - (smallest[i] ?? 0))
    const at = slack.indexOf(Math.max(...slack))
    if ((slack[at] ?? 0) <= 0) break
    widths[at] = (widths[at] ?? 0) - 1
  }
  return widths
}
