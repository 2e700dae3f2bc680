/** Completion inside a handler's own transaction. */
import { describeOn } from '../support/servers.ts'
import { describeCompletion } from './complete-cases.ts'
import { serverGround, sqliteGround } from './ground.ts'

describeCompletion('sqlite', sqliteGround)

for (const kind of ['postgres', 'mysql'] as const) {
  await describeOn(kind, (server) => describeCompletion(kind, () => serverGround(server)))
}
