/** What the cases for libraries work with: a store, the user's own table beside it, and a library connected to both. */
import { onTestFinished } from 'vitest'
import type { Millrace } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import type { TestServer } from '../support/servers.ts'
import { tableOf } from './begin.ts'
import { serverGround } from './ground.ts'
import type { Library, Opened } from './library.ts'

/** A library at work. */
export interface LibraryGround {
  /** The URL of the store. */
  readonly store: string
  /** The same past a pooler, through which nobody can listen. */
  readonly direct: string
  readonly mill: Millrace
  readonly library: Opened
  /** The ids of the user's own rows that were committed. */
  rows(): Promise<readonly string[]>
}

/** Prepares one for the test that asks. */
export type OpenLibraryGround = () => Promise<LibraryGround>

/** How one is prepared. `through`: what the URLs of store and library become, on their way through a pooler. */
export function libraryGround(library: Library, server: TestServer, through = (url: string) => url): OpenLibraryGround {
  return async () => {
    const ground = await serverGround(server)
    const store = through(ground.store)
    const mill = await openMill({ store })
    // Parameters of the store are none of a library's.
    const opened = await library.open(plain(store), tableOf(store))
    onTestFinished(() => opened.close())
    return { store, direct: ground.store, mill, library: opened, rows: ground.rows }
  }
}

function plain(store: string): string {
  const url = new URL(store)
  url.search = ''
  return url.href
}
