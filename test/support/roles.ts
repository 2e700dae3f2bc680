/** The three roles as the documents make them: their SQL, said for a test's own names. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Roles } from './servers.ts'

const ROLES = ['migrator', 'worker', 'viewer'] as const
const PASSWORD = randomBytes(12).toString('hex')

/** What a test's role is called. */
export function roleNames(): readonly string[] {
  return ROLES.map((role) => `millrace_test_${process.pid}_${role}`)
}

/**
 * The statements of a page's SQL blocks: the first makes the roles, the second grants what they need, the third keeps payloads
 * from the viewer. `place` is what the page calls the schema or database, `own` how the test's own is written.
 */
export function roleStatements(page: string, place: RegExp, own: string): readonly [string[], string[], string[]] {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8')
  const blocks = [...text.matchAll(/^```sql\n([\s\S]*?)^```$/gm)].map(([, sql = '']) =>
    sql
      .replace(/'(?:one|another|a third)'/g, `'${PASSWORD}'`)
      .replaceAll(place, own)
      .replace(/\bmillrace_(migrator|worker|viewer)\b/g, `millrace_test_${process.pid}_$1`)
      .split(';')
      .filter((statement) => statement.trim() !== ''),
  )
  return [blocks[0] ?? [], blocks[1] ?? [], blocks[2] ?? []]
}

/** A store's URL for each role. */
export function roleUrls(url: string): Roles {
  const [migrator = '', worker = '', viewer = ''] = roleNames().map((name) => {
    const as = new URL(url)
    as.username = name
    as.password = PASSWORD
    return as.href
  })
  return { migrator, worker, viewer }
}
