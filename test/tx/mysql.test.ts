/** The adapters of `millrace/tx` on MySQL or MariaDB, with the libraries themselves. */
import { describeOn } from '../support/servers.ts'
import { describeLibrary } from './cases.ts'
import { LIBRARIES } from './libraries.ts'

await describeOn('mysql', (server) => {
  for (const library of LIBRARIES.mysql) describeLibrary(library, server)
})
