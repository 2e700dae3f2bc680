/** What the command line has to do alike on every store: SQLite, and each server by the roles that docs/ describes. */
import { describe, expect, onTestFinished } from 'vitest'
import { Discard, defineJob, Millrace } from '../../src/index.ts'
import type { Ran } from '../support/app-folder.ts'
import { cliHere } from '../support/cli-here.ts'
import { describeOn, freshStoreUrl, SERVER_KINDS, type ServerKind, type TestServer } from '../support/servers.ts'
import { tempDir, tempStoreUrl } from '../support/temp-store.ts'

/** A kind of store to run commands on. */
export interface CliStore {
  readonly kind: 'sqlite' | ServerKind
  /** A store without tables, by the URL of somebody who may make them; on a server with a password in it. */
  fresh(): Promise<string>
  /** An empty store with tables, by the URL of somebody who works on them; on a server with a password in it. */
  made(): Promise<string>
}

/** Runs a command, whose output must not hold the password of the store. */
export type Run = (...args: readonly string[]) => Promise<Ran>

/** Declares tests for SQLite and for each server that is there. */
export async function describeOnStores(declare: (store: CliStore) => void): Promise<void> {
  describe('sqlite', () => {
    const fresh = async () => `${tempStoreUrl()}?durability=normal`
    declare({ kind: 'sqlite', fresh, made: () => fresh().then(migrated) })
  })
  for (const kind of SERVER_KINDS) await describeOn(kind, (server) => declare(storesOn(server)))
}

function storesOn(server: TestServer): CliStore {
  return {
    kind: server.kind,
    fresh: async () => (await server.rolesOf(await freshStoreUrl(server))).migrator,
    async made() {
      const url = server.borrowUrl()
      await server.create(url)
      onTestFinished(() => server.giveBack(url))
      const { migrator, worker } = await server.rolesOf(url)
      await migrated(migrator)
      return worker
    },
  }
}

async function migrated(url: string): Promise<string> {
  await (await Millrace.open({ store: url })).close()
  return url
}

/** Commands on the store at a URL, in this process. */
export function runOn(url: string): Run {
  const folder = tempDir()
  return async (...args) => {
    const ran = await cliHere(folder, [...args, '--store', url])
    expectNoPassword(url, ran.stdout, ran.stderr)
    return ran
  }
}

/** That none of these texts holds the password of a URL, if it has one. */
export function expectNoPassword(url: string, ...texts: readonly string[]): void {
  const password = /:\/\/[^/@]*:([^@]+)@/.exec(url)?.[1]
  for (const text of texts) if (password !== undefined) expect(text).not.toContain(password)
}

/** Three failed jobs in `default`, two of them for a timeout, and two that wait in `bulk`. */
export async function fill(store: string): Promise<void> {
  const mill = await Millrace.open({ store })
  const charge = defineJob({ name: 'charge', run: (why: string) => Promise.reject(new Discard(why)) })
  await mill.enqueueMany(charge, ['timeout', 'declined', 'Timeout after 5000 ms, as it goes on and on and on'])
  await mill.work([charge], { drain: true }).done
  await mill.enqueueMany(defineJob({ name: 'report', run: (_: number) => {} }), [1, 2], { queue: 'bulk' })
  await mill.close()
}
