/** The adapters of `millrace/tx` on PostgreSQL, with the libraries themselves. */
import { describeOn } from '../support/servers.ts'
import { describeLibrary } from './cases.ts'
import { LIBRARIES } from './libraries.ts'

await describeOn('postgres', (server) => {
  for (const library of LIBRARIES.postgres) describeLibrary(library, server)
})
