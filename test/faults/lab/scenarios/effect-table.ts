/** The user's own table in the database of a store. */
import { readTables } from '../../../support/tables.ts'

/** Makes it, where a store has its tables already. */
export async function makeEffectTable(url: string): Promise<void> {
  await readTables(url, ({ rows }) => rows('CREATE TABLE IF NOT EXISTS effect (id varchar(80) NOT NULL)'))
}
