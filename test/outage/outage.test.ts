/** What a server does to its clients as a whole: it restarts, is away, takes no writes or no connections, has other defaults than ours. */
import { describeOnPrivate, SERVER_KINDS } from '../support/servers.ts'
import { downCases } from './down.ts'
import { leakCases } from './leak.ts'
import { readOnlyCases } from './read-only.ts'
import { restartCases } from './restart.ts'
import { stormCases } from './storm.ts'

for (const kind of SERVER_KINDS) {
  await describeOnPrivate(kind, (server, machine) => {
    restartCases(server, machine)
    downCases(server, machine)
    readOnlyCases(server)
    leakCases(server)
    stormCases(server)
  })
}
