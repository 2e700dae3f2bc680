/** SIGKILL to producers at any moment: every job whose id they were told is there, and a batch is there whole or not at all. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startChild } from '../support/child.ts'
import { describeOnEvery, type TestStores } from '../support/every-store.ts'
import { invariantFaults } from '../support/invariants.ts'
import { generator, seedOf } from '../support/random.ts'
import { readTables } from '../support/tables.ts'
import { tempDir } from '../support/temp-store.ts'

const KILLS = process.env.MILLRACE_LONG ? 50 : 4
/** The log's bytes that a producer may write before it is killed, at most: some hundred jobs. */
const MOST_BYTES = 20_000

await describeOnEvery((stores) => {
  test(
    `two producers, one of them killed ${KILLS} times`,
    () => killProducers(stores),
    process.env.MILLRACE_LONG ? 1_200_000 : 120_000,
  )
})

async function killProducers(stores: TestStores): Promise<void> {
  const random = generator(seedOf(5))
  const folder = tempDir()
  const url = await stores.freshUrl()
  const other = start(url, join(folder, 'other.log'))
  await other.line('ready')

  const logs: string[] = []
  for (let kill = 0; kill < KILLS; kill++) {
    const log = join(folder, `${kill}.log`)
    logs.push(log)
    const victim = start(url, log)
    await victim.line('ready')
    const wanted = Math.floor(random() * MOST_BYTES)
    const written = () => (existsSync(log) ? statSync(log).size : 0)
    await expect.poll(() => written() >= wanted, { timeout: 60_000, interval: 1 }).toBe(true)
    await victim.kill()
  }
  await other.kill()
  logs.push(join(folder, 'other.log'))

  const lines = logs.flatMap((log) => (existsSync(log) ? readFileSync(log, 'utf8').split('\n') : []))
  const created = lines.filter((line) => line.startsWith('created ')).map((line) => line.slice('created '.length))
  const { ids, byTag } = await jobsIn(url)
  expect(created.length).toBeGreaterThan(0)
  expect(created.filter((id) => !ids.has(id))).toEqual([])

  const answered = new Set(lines.filter((line) => line.startsWith('answered ')).map((line) => line.split(' ')[1]))
  const halves: string[] = []
  for (const line of lines.filter((each) => each.startsWith('asked '))) {
    const [, tag = '', size] = line.split(' ')
    const count = byTag.get(tag) ?? 0
    const isWhole = count === Number(size) || (count === 0 && !answered.has(tag))
    if (!isWhole) halves.push(`${line}: ${count} are there`)
  }
  expect(halves).toEqual([])
  expect(await invariantFaults(url)).toEqual([])
  if (process.env.MILLRACE_LONG) console.log(`${stores.kind}: ${created.length} acknowledged, ${answered.size} batches`)
}

/** The ids of all jobs, and how many carry each tag, as they are at one moment. */
function jobsIn(url: string) {
  return readTables(url, async (tables) => {
    const rows = await tables.rows('SELECT id, tags FROM millrace_job')
    const tags = rows.flatMap((row) => (row.tags === null ? [] : [String(JSON.parse(String(row.tags)))]))
    const byTag = new Map([...Map.groupBy(tags, (tag) => tag)].map(([tag, all]) => [tag, all.length]))
    return { ids: new Set(rows.map((row) => String(row.id))), byTag }
  })
}

function start(url: string, log: string) {
  return startChild(join(import.meta.dirname, 'producer.ts'), [url, log])
}
