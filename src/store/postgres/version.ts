/** Which servers will do. An older one would fail at the first migration, by a word that it does not know. */
import { ConfigError } from '../../core/errors.ts'
import { int, text } from '../sql/rows.ts'
import type { Session } from '../sql/session.ts'

/** Its `autovacuum_vacuum_insert_scale_factor` is among what the tables are made with. */
const OLDEST = 13
const ASK = "SELECT current_setting('server_version_num')::bigint, current_setting('server_version')"

/** Throws `CONFIG_INVALID` when the server is older than what our statements need. */
export async function refuseOldServer(session: Session): Promise<void> {
  const [row = []] = (await session.query(ASK)).rows
  // 130004 is 13.4; before version 10 it was 90624 for 9.6.24.
  if (int(row[0]) >= OLDEST * 10_000) return
  throw new ConfigError('CONFIG_INVALID', `the server is PostgreSQL ${text(row[1])}; ${OLDEST} or newer is needed`, {
    hint: 'Update the server.',
  })
}
