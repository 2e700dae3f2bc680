import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { STEPS } from '../../src/store/sqlite/migrate.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/encryption.md'), 'utf8')

describe('C15: every column that can hold text', () => {
  it('is listed as sealed, hashed or in the clear, with the reason', () => {
    const db = new DatabaseSync(':memory:')
    for (const { statements } of STEPS) db.exec(statements.join(';'))
    const columns = db
      .prepare(
        "SELECT t.name AS t, c.name AS c FROM pragma_table_list t JOIN pragma_table_info(t.name) c WHERE t.name LIKE 'millrace%' AND c.type IN ('TEXT', 'BLOB')",
      )
      .all()
    db.close()

    const unlisted = columns.filter(({ t, c }) => {
      const row = PAGE.split('\n').find((line) => line.startsWith(`| \`${t}\` |`))
      return row?.includes(`\`${c}\``) !== true
    })

    expect(columns.length).toBeGreaterThan(30)
    expect(unlisted).toEqual([])
  })
})
