// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the sources that are judged here hold templates.
import { describe, expect, test } from 'vitest'
import { bannedFaults } from '../../scripts/banned.ts'

describe('bannedFaults', () => {
  test.each([
    ['waiting for time in a test', 'test/a.test.ts', 'await sleep(50)'],
    ['a timer in a test', 'test/a.test.ts', 'setTimeout(done, 50)'],
    ['the clock in core/', 'src/core/a.ts', 'const now = Date.now()'],
    ['a date in core/', 'src/core/a.ts', 'const now = new Date(0)'],
    ['chance in core/', 'src/core/a.ts', 'const x = Math.random()'],
    ['a part of Node in core/', 'src/core/a.ts', "import 'node:fs'"],
    ['text run as code', 'src/cli/a.ts', 'eval(text)'],
    ['a function from text', 'src/cli/a.ts', "new Function('a')"],
    // allow eval: it is judged here, not run
    ['the vm module', 'src/cli/a.ts', "import vm from 'node:vm'"],
    ['one test alone', 'src/cli/a.test.ts', "test.only('a')"],
    ['a value in SQL', 'src/store/sqlite/a.ts', 'db.prepare(`SELECT 1 WHERE id = ${id}`)'],
    ['a text from a parameter in SQL', 'src/store/sqlite/a.ts', 'db.exec(`  UPDATE ${table} SET a = 1`)'],
  ])('refuses %s', (_, path, text) => {
    expect(bannedFaults([{ path, text }])).toEqual([expect.stringContaining(`${path}:1`)])
  })

  test.each([
    ['a timer outside tests', 'src/base/a.ts', 'setTimeout(done, 50)'],
    ['the clock outside core/', 'src/base/a.ts', 'Date.now()'],
    ['banned words in a comment', 'src/core/a.ts', '// not Date.now(), which is impure'],
    ['banned words in a sentence', 'src/core/a.ts', "const hint = 'call Date.now() yourself'"],
    ['constants in SQL', 'src/store/sqlite/a.ts', 'const A = `SELECT ${COLUMNS} FROM ${TABLES.job}`'],
    ['a quoted identifier in SQL', 'src/store/sqlite/a.ts', 'const A = `SELECT * FROM ${ident(schema)}.job`'],
    [
      'a choice between literals',
      'src/store/sqlite/a.ts',
      "db.exec(`PRAGMA synchronous = ${full ? 'FULL' : 'NORMAL'}`)",
    ],
    ['a sentence that is not SQL', 'src/store/sqlite/a.ts', 'throw new Error(`no job has the id ${id}`)'],
    [
      'what says why it must',
      'test/a.test.ts',
      '// allow sleep: the file system rounds to seconds\nsetTimeout(done, 1000)',
    ],
  ])('accepts %s', (_, path, text) => {
    expect(bannedFaults([{ path, text }])).toEqual([])
  })

  test('a permission without a reason does not count', () => {
    const text = '// allow sleep:\nsetTimeout(done, 1000)'

    expect(bannedFaults([{ path: 'test/a.test.ts', text }])).toHaveLength(1)
  })
})
