/**
 * Prisma 7 without its generator: `prisma generate` writes a module with the calls below beside the types of the models, of
 * which raw queries need none. Its command line is 138 packages, and loads a schema engine from elsewhere.
 */
import { PrismaMariaDb } from '@prisma/adapter-mariadb'
import { PrismaPg } from '@prisma/adapter-pg'
import manifest from '@prisma/client/package.json' with { type: 'json' }
import * as runtime from '@prisma/client/runtime/client'
import { type PrismaTransaction, prisma } from '../../src/tx/index.ts'
import { behindSavepoint, type Library, type Tx } from './library.ts'

interface Client {
  $transaction(fn: (tx: PrismaTransaction) => Promise<void>, options: { readonly timeout: number }): Promise<void>
  $disconnect(): Promise<void>
}

/** Prisma with `@prisma/adapter-pg`. */
export const prismaOnPostgres: Library = {
  name: 'Prisma',
  open: async (url, table) => opened('postgresql', new PrismaPg({ connectionString: url }), table, '$1'),
}

/** Prisma with `@prisma/adapter-mariadb`. */
export const prismaOnMysql: Library = {
  name: 'Prisma',
  open: async (url, table) => opened('mysql', new PrismaMariaDb(url.replace(/^mysql:/, 'mariadb:')), table, '?'),
}

function opened(provider: 'postgresql' | 'mysql', adapter: PrismaPg | PrismaMariaDb, table: string, param: string) {
  const client = new (clientClass(provider))({ adapter })
  return {
    transaction: (fn: (tx: Tx) => Promise<void>) =>
      client.$transaction((trx) => fn(txOf(trx, table, param)), { timeout: 20_000 }),
    close: () => client.$disconnect(),
  }
}

function txOf(trx: PrismaTransaction, table: string, param: string): Tx {
  const run = (sql: string, ...values: readonly string[]) => trx.$executeRawUnsafe(sql, ...(values as readonly never[]))
  const tx: Tx = {
    handle: prisma(trx),
    async write(id) {
      // allow sql: the table of the test
      await run(`INSERT INTO ${table} (id) VALUES (${param})`, id)
    },
    nested: (fn) => behindSavepoint(run, () => fn(tx)),
  }
  return tx
}

/**
 * What `prisma generate` writes into `internal/class.ts`, for a schema without models. There the versions are those of the
 * command line; here they are those of the client that runs, and of its engine, of which only errors tell.
 */
function clientClass(provider: 'postgresql' | 'mysql'): new (options: { readonly adapter: object }) => Client {
  const config = {
    previewFeatures: [],
    clientVersion: manifest.version,
    engineVersion: manifest.devDependencies['@prisma/engines-version'],
    activeProvider: provider,
    // allow sql: not SQL
    inlineSchema: `generator client {\n  provider = "prisma-client"\n}\n\ndatasource db {\n  provider = "${provider}"\n}\n`,
    runtimeDataModel: { models: {}, enums: {}, types: {} },
    parameterizationSchema: { strings: [], graph: 'AAAA' },
    compilerWasm: {
      getRuntime: () => import(`@prisma/client/runtime/query_compiler_fast_bg.${provider}.mjs`),
      async getQueryCompilerWasmModule() {
        const { wasm } = await import(`@prisma/client/runtime/query_compiler_fast_bg.${provider}.wasm-base64.mjs`)
        // Node has it; the types of Node do not name it.
        const { Module } = Reflect.get(globalThis, 'WebAssembly') as { Module: new (bytes: Buffer) => object }
        return new Module(Buffer.from(wasm, 'base64'))
      },
      importName: './query_compiler_fast_bg.js',
    },
  }
  // The generated module gives the class the types of its models; here it has what the tests use.
  return runtime.getPrismaClient(config as unknown as runtime.GetPrismaClientConfig) as unknown as ReturnType<
    typeof clientClass
  >
}
