/** The report as one self-contained page: readable on a phone, in a light and a dark room, and printed. */
import type { Report } from './report.ts'

const SHOWN = 25

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1c2024, #e6e8eb); --dim: light-dark(#60676f, #9aa3ad);
  --line: light-dark(#e3e6ea, #2b3036); --paper: light-dark(#fff, #16181b); --bar: light-dark(#cfe3df, #24423d);
  --bad: light-dark(#a4262c, #ff8f8a) }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 60rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin: 0; overflow-wrap: anywhere } h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem }
p { margin: .25rem 0; color: var(--dim); overflow-wrap: anywhere }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(7rem, 1fr)); gap: 1rem; margin: 1.5rem 0 0 }
dt { color: var(--dim); font-size: .85rem } dd { margin: 0; font-size: 1.3rem; white-space: nowrap; font-variant-numeric: tabular-nums }
.bad { color: var(--bad) }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th { text-align: left; font-weight: 500; color: var(--dim); font-size: .85rem }
th, td { padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td { overflow-wrap: anywhere; white-space: pre-line } td:not(.n) { min-width: 6.5rem } .bar td:first-child { padding-left: .5rem } .n { text-align: right; white-space: nowrap }
.bar { background: linear-gradient(to right, var(--bar) var(--part), transparent var(--part)) no-repeat }
`

/** What the page says of the run, and `report.json` does not. */
export interface Made {
  /** The store without user and password. */
  readonly store: string
  readonly madeAt: Date
}

/** Makes the page. Everything that comes from files is escaped. */
export function page(report: Report, { store, madeAt }: Made): string {
  const title = `Folder index of ${report.root}`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title><style>${STYLE}</style></head><body>
<h1>${escaped(report.root)}</h1>
<p>Indexed by Millrace, one job per file, ${madeAt.toISOString().slice(0, 16).replace('T', ' ')} UTC</p>
<p>Jobs kept in ${escaped(store)}</p>
<dl>${[
    figure('files', count(report.files)),
    figure('text', count(report.text)),
    figure('binary', count(report.binary)),
    figure('not read', count(report.failed), report.failed > 0 ? 'bad' : ''),
    figure('bytes', size(report.bytes)),
    figure('lines', count(report.lines)),
    figure('words', count(report.words)),
  ].join('')}</dl>
${failures(report)}
${section(
  'By extension',
  report.byExtension.length,
  ['extension', 'files', 'bytes', 'lines'],
  report.byExtension.slice(0, SHOWN).map((row) => [row.extension, count(row.files), size(row.bytes), count(row.lines)]),
  report.byExtension.map((row) => row.bytes / (report.byExtension[0]?.bytes || 1)),
)}
${section(
  'Most frequent words',
  report.frequentWords.length,
  ['word', 'times'],
  report.frequentWords.map(([word, times]) => [word, count(times)]),
  report.frequentWords.map(([, times]) => times / (report.frequentWords[0]?.[1] ?? 1)),
)}
<p>${report.uncountedAtMost === 0 ? 'Exact counts.' : `Rare words of large files are not kept: each count may be up to ${count(report.uncountedAtMost)} too low.`}</p>
${section(
  'Same content',
  report.duplicates.length,
  ['files', 'copies', 'each'],
  report.duplicates.slice(0, SHOWN).map((same) => [some(same.paths), count(same.paths.length), size(same.size)]),
)}
</body></html>
`
}

function failures(report: Report): string {
  const rows = Object.entries(report.failuresByReason).map(([reason, list]) => [
    `${reason}: ${list[0]?.message ?? ''}`,
    some(list.map((failure) => failure.path)),
    count(list.length),
  ])
  return rows.length === 0 ? '' : section('Not read', rows.length, ['reason', 'files', 'how many'], rows)
}

function section(
  title: string,
  total: number,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  parts: readonly number[] = [],
): string {
  if (rows.length === 0) return ''
  const isNumber = (column: number) =>
    (column > 0 && head[column] !== 'files') || (column > 0 && title === 'By extension')
  const cells = (row: readonly string[], tag: 'td' | 'th') =>
    row.map((cell, i) => `<${tag}${isNumber(i) ? ' class="n"' : ''}>${escaped(cell)}</${tag}>`).join('')
  const body = rows.map((row, i) => {
    const part = parts[i]
    const bar = part === undefined ? '' : ` class="bar" style="--part: ${Math.round(part * 100)}%"`
    return `<tr${bar}>${cells(row, 'td')}</tr>`
  })
  const more = total > rows.length ? `<p>and ${count(total - rows.length)} more in report.json</p>` : ''
  return `<h2>${escaped(title)}</h2><div class="scroll"><table><thead><tr>${cells(head, 'th')}</tr></thead><tbody>${body.join('\n')}</tbody></table></div>${more}`
}

function figure(name: string, value: string, kind = ''): string {
  return `<div><dt>${name}</dt><dd class="${kind}">${value}</dd></div>`
}

function some(paths: readonly string[]): string {
  return paths.length <= 2 ? paths.join('\n') : `${paths[0]}\nand ${count(paths.length - 1)} more`
}

function count(value: number): string {
  return value.toLocaleString('en')
}

/** Bytes for people, in powers of 1,024. */
export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
}
