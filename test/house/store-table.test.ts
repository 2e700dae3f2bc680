/** The figures in README's table of the stores are those of docs/stores.md, which says how they were measured. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

const README = sectionOf('README.md', '## Choosing a store')
const PAGE = sectionOf('docs/stores.md', '## Measured')
const FIGURE = /^[\d.,]+ (?:\/ [\d.,]+ )?(?:\/s|ms|MiB|s|%)$/

test("every measured row of README's table of the stores stands in docs/stores.md, figure by figure", () => {
  const measured = rowsOf(README).filter((row) => row.slice(1).some((cell) => FIGURE.test(cell)))
  const page = rowsOf(PAGE)

  expect(measured.length).toBeGreaterThanOrEqual(3)
  expect(measured).toEqual(measured.map(([label]) => page.find((row) => row[0] === label)))
})

test('the columns of both are the same stores', () => {
  expect(rowsOf(README)[0]?.map(shortName)).toEqual(rowsOf(PAGE)[0]?.map(shortName))
})

test('below the table stand the command and the day, and where the machine is told', () => {
  expect(README).toMatch(/20\d\d-\d\d-\d\d.*`npm run bench -- --store /s)
  expect(README).toContain('(docs/stores.md#how)')
  expect(readFileSync(resolve(import.meta.dirname, '../../docs/stores.md'), 'utf8')).toMatch(/^### How$/m)
})

/** One part of a page, from its heading to the next of that rank. */
function sectionOf(page: string, heading: string): string {
  const text = readFileSync(resolve(import.meta.dirname, '../..', page), 'utf8')
  const start = text.indexOf(`\n${heading}\n`)
  if (start < 0) throw new Error(`${page} has no ${heading}`)
  const end = text.indexOf('\n## ', start + 1)
  return text.slice(start, end < 0 ? undefined : end)
}

/** The cells of every row of every table, the marks of footnotes taken off. */
function rowsOf(section: string): readonly (readonly string[])[] {
  const lines = section.split('\n').filter((line) => line.startsWith('|') && !line.startsWith('|---'))
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replace(/ [†‡§]$/, '')),
  )
}

/** The page calls by the server that was measured what README calls by all that the store is for. */
function shortName(column: string): string {
  return column.replace('MySQL, MariaDB', 'MariaDB')
}
