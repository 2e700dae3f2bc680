/** Rows of a SQLite file as somebody with the file could make them. */
import { DatabaseSync } from 'node:sqlite'
import { expect } from 'vitest'

/** Assigns `set` in the rows of a table with these ids, past its types and checks. */
export function damage(path: string, set: string, ids: readonly string[], table = 'millrace_job'): void {
  const open = () => {
    const db = new DatabaseSync(path, { defensive: false })
    db.exec('PRAGMA synchronous = OFF; PRAGMA writable_schema = ON; PRAGMA ignore_check_constraints = ON')
    return db
  }
  const rewrite = (sql: string) => {
    const db = open()
    db.prepare('UPDATE sqlite_schema SET sql = ? WHERE name = ?').run(sql, table)
    db.exec(`PRAGMA schema_version = ${Number(db.prepare('PRAGMA schema_version').get()?.schema_version) + 1}`)
    db.close()
  }
  const first = open()
  const strict = String(first.prepare('SELECT sql FROM sqlite_schema WHERE name = ?').get(table)?.sql)
  first.close()
  rewrite(strict.replaceAll('NOT NULL', '').replace(') STRICT', ')'))
  const db = open()
  for (const id of ids) expect(db.prepare(`UPDATE ${table} SET ${set} WHERE id = ?`).run(id).changes).toBe(1)
  db.close()
  rewrite(strict)
}
