/** The adapters of `millrace/tx` through PgBouncer in transaction mode: store and library both. All cases with MILLRACE_LONG. */
import { describe } from 'vitest'
import { lacks } from '../support/needs.ts'
import { pgbouncerProgram, startPgbouncer } from '../support/pgbouncer.ts'
import { describeOn } from '../support/servers.ts'
import { describeLibrary } from './cases.ts'
import { describeCompleteIn } from './complete-in-cases.ts'
import { LIBRARIES } from './libraries.ts'
import { libraryGround } from './library-ground.ts'
import { describeStart } from './start-cases.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const program = pgbouncerProgram()

describe.skipIf(lacks('pgbouncer', program !== null))('through PgBouncer', async () => {
  if (program === null) return
  await describeOn('postgres', async (server) => {
    const through = await startPgbouncer(program, server.url)
    for (const library of LIBRARIES.postgres) {
      if (LONG) describeLibrary(library, server, through)
      else
        describe(`a transaction of ${library.name}`, () => {
          const openGround = libraryGround(library, server, through)
          describeStart(openGround)
          describeCompleteIn(openGround)
        })
    }
  })
})
