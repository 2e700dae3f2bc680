/** What compiles, and what must not. Checked by `tsc`; `@ts-expect-error` fails where the line under it compiles. */

import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import type { Knex } from 'knex'
import type { Kysely, Transaction } from 'kysely'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import { defineConfig, defineJob, handle, type Millrace, shape } from '../../src/index.ts'
import { drizzle, knex, kysely, prisma } from '../../src/tx/index.ts'

declare const mill: Millrace

const resize = defineJob({
  name: 'resize',
  input: z.object({ file: z.string(), width: z.coerce.number().default(800) }),
  output: z.object({ bytes: z.number() }),
})
const inline = defineJob({ name: 'inline', run: (input: { n: number }) => Promise.resolve(input.n * 2) })
const nothing = defineJob({ name: 'nothing', run: () => {} })
const shaped = defineJob({ name: 'shaped', input: shape<{ a: 1 }>(), output: shape<'done'>() })

// The schema's input type is what `enqueue` takes; its output type is what the handler gets.
mill.enqueue(resize, { file: 'a.png' })
mill.enqueue(resize, { file: 'a.png', width: '12' })
handle(resize, (input) => {
  expectTypeOf(input).toEqualTypeOf<{ file: string; width: number }>()
  return { bytes: input.width }
})
handle(shaped, (input) => {
  expectTypeOf(input).toEqualTypeOf<{ a: 1 }>()
  return 'done' as const
})

expectTypeOf((await mill.enqueue(resize, { file: 'a' })).result()).resolves.toEqualTypeOf<{ bytes: number }>()
expectTypeOf((await mill.enqueue(inline, { n: 1 })).result()).resolves.toEqualTypeOf<number>()
expectTypeOf((await mill.enqueueMany(shaped, [{ a: 1 }]))[0]?.result).toEqualTypeOf<
  ((options?: { readonly timeout?: string | number }) => Promise<'done'>) | undefined
>()
mill.enqueue(nothing)
mill.enqueue(nothing, undefined, { delay: '1m' })

// @ts-expect-error a field is missing
mill.enqueue(resize, {})
// @ts-expect-error a field has the wrong type
mill.enqueue(resize, { file: 1 })
// @ts-expect-error an input is needed
mill.enqueue(inline)
// @ts-expect-error the wrong input of a job without a schema
mill.enqueue(inline, { n: 'one' })
// @ts-expect-error one of many is wrong
mill.enqueueMany(inline, [{ n: 1 }, { m: 1 }])
// @ts-expect-error the wrong result
handle(resize, () => ({ bytes: 'many' }))
// @ts-expect-error no result where one is promised
handle(resize, () => {})
defineJob({ name: 'isolated', isolate: { in: 'process', memory: '128mb' }, run: () => {} })
// @ts-expect-error no such kind of isolate
defineJob({ name: 'isolated', isolate: 'fiber', run: () => {} })
// @ts-expect-error a memory limit is an isolate's
defineJob({ name: 'isolated', isolate: { in: 'none', memory: '128mb' }, run: () => {} })
// @ts-expect-error a handler that wants another input
handle(resize, (input: { nope: boolean }) => ({ bytes: Number(input.nope) }))
// @ts-expect-error `run` gives another result than `output` says
defineJob({ name: 'x', output: z.object({ a: z.string() }), run: () => ({ a: 1 }) })
// @ts-expect-error an option that does not exist
mill.enqueue(inline, { n: 1 }, { dealy: '5m' })
// @ts-expect-error a policy that does not exist
mill.enqueue(inline, { n: 1 }, { dependsOn: { job: 'id', onFailure: 'ignore' } })
mill.enqueueMany(inline, [{ n: 1 }], { ids: ['0199f2a0-0000-7000-8000-000000000000'], tags: ['a'] })
// @ts-expect-error many jobs cannot have one id
mill.enqueueMany(inline, [{ n: 1 }], { id: '0199f2a0-0000-7000-8000-000000000000' })
// @ts-expect-error `id` and `unique` are for single jobs
mill.enqueueMany(inline, [{ n: 1 }], { unique: 'k' })
// @ts-expect-error an event that does not exist
mill.on('job.exploded', () => {})
// @ts-expect-error a state that does not exist
mill.list({ state: 'running' })
// @ts-expect-error a definition needs a name
defineJob({ run: () => {} })
// @ts-expect-error an unknown part of the configuration
defineConfig({ stroe: 'sqlite:a.db' })

mill.on('job.settled', (event) => {
  expectTypeOf(event.durationMs).toEqualTypeOf<number>()
  // @ts-expect-error payloads are never in events
  event.input
})

// Each adapter takes a transaction of its library, and not what begins one.
declare const kyselyTrx: Transaction<{ person: { id: string } }>
declare const kyselyDb: Kysely<{ person: { id: string } }>
declare const drizzleDb: NodePgDatabase
declare const knexTrx: Knex.Transaction
declare const knexDb: Knex
declare const prismaTrx: {
  $queryRawUnsafe<T = unknown>(query: string, ...values: unknown[]): Promise<T>
  $executeRawUnsafe<T = unknown>(query: string, ...values: unknown[]): Promise<number>
}
declare const prismaDb: typeof prismaTrx & { $connect(): Promise<void> }
mill.enqueue(nothing, undefined, { tx: kysely(kyselyTrx) })
mill.enqueue(nothing, undefined, { tx: knex(knexTrx) })
mill.enqueue(nothing, undefined, { tx: prisma(prismaTrx) })
drizzleDb.transaction(async (trx) => {
  await mill.enqueue(nothing, undefined, { tx: drizzle(trx) })
})
// @ts-expect-error a database of Kysely is no transaction
kysely(kyselyDb)
// @ts-expect-error a database of Drizzle is no transaction
drizzle(drizzleDb)
// @ts-expect-error a Knex is no transaction
knex(knexDb)
// @ts-expect-error a client of Prisma is no transaction
prisma(prismaDb)

// What completes an attempt is what its output takes; without one it may be left out.
handle(resize, async (_, job) => {
  await job.completeIn(knexTrx, { bytes: 1 })
  // @ts-expect-error the result is missing
  await job.completeIn(knexTrx)
  // @ts-expect-error the result has the wrong type
  await job.completeIn(knexTrx, { bytes: '1' })
  return { bytes: 1 }
})
handle(nothing, async (_, job) => {
  await job.completeIn(knexTrx)
})
