/**
 * Runs once before all tests: finds the servers that they share, and says in one line what could not be had. A server that the
 * environment names has to be there. The files are told by `inject('servers')`: see test/support/servers.ts.
 */
import type { TestProject } from 'vitest/node'
import { findServer, type KnownServer, lackForPrivate, namedUrl } from './support/find-server.ts'
import type { ServerKind, TestServer } from './support/servers.ts'

/** How servers are looked for, and where the line goes. */
export interface Search {
  readonly find: (kind: ServerKind) => Promise<TestServer | string>
  readonly lackForPrivate: (kind: ServerKind) => string | null
  readonly say: (line: string) => void
}

const REAL: Search = { find: findServer, lackForPrivate, say: (line) => console.warn(line) }

/** Finds them, and returns what ends those that it started. Throws when one that is named does not connect. */
export default async function setup(
  project: Pick<TestProject, 'provide'>,
  search: Search = REAL,
): Promise<() => Promise<void>> {
  const [postgres, mysql] = await Promise.all([search.find('postgres'), search.find('mysql')])
  const close = async () => {
    for (const server of [postgres, mysql]) if (typeof server !== 'string') await server.close()
  }
  const absent = absentOf('postgres', postgres) ?? absentOf('mysql', mysql)
  if (absent !== null) {
    await close()
    throw new Error(absent)
  }
  const known = { postgres: knownOf('postgres', postgres, search), mysql: knownOf('mysql', mysql, search) }
  const lacks = [known.postgres.lack, known.mysql.lack].filter((lack) => lack !== null)
  const what = process.env.MILLRACE_REQUIRE === 'all' ? 'Tests fail' : 'Tests are skipped'
  if (lacks.length > 0) search.say(`${what} for want of ${lacks.join('; of ')}.`)
  project.provide('servers', known)
  return close
}

/** Why a server that is named is not there. */
function absentOf(kind: ServerKind, found: TestServer | string): string | null {
  return typeof found === 'string' && namedUrl(kind) !== undefined ? found : null
}

function knownOf(kind: ServerKind, found: TestServer | string, search: Search): KnownServer {
  if (typeof found === 'string') return { url: null, lack: `a ${kind} server: ${found}` }
  const lack = search.lackForPrivate(kind)
  return { url: found.url, lack: lack === null ? null : `a private ${kind} server: ${lack}` }
}
