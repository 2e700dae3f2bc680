/** SIGKILL to producers at any moment: every job whose id they were told is there, and a batch is there whole or not at all. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { startChild } from '../support/child.ts'
import { invariantFaults } from '../support/invariants.ts'
import { generator, seedOf } from '../support/random.ts'
import { tempDir } from '../support/temp-store.ts'

const KILLS = process.env.MILLRACE_LONG ? 50 : 4
/** The log's bytes that a producer may write before it is killed, at most: some hundred jobs. */
const MOST_BYTES = 20_000

test(
  `two producers, one of them killed ${KILLS} times`,
  async () => {
    const random = generator(seedOf(5))
    const folder = tempDir()
    const path = join(folder, 'millrace.db')
    const other = start(path, join(folder, 'other.log'))
    await other.line('ready')

    const logs: string[] = []
    for (let kill = 0; kill < KILLS; kill++) {
      const log = join(folder, `${kill}.log`)
      logs.push(log)
      const victim = start(path, log)
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
    const { ids, byTag } = jobsIn(path)
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
    expect(invariantFaults(path)).toEqual([])
    if (process.env.MILLRACE_LONG) console.log(`${created.length} acknowledged, ${answered.size} batches`)
  },
  process.env.MILLRACE_LONG ? 1_200_000 : 120_000,
)

/** The ids of all jobs, and how many carry each tag. */
function jobsIn(path: string) {
  const db = new DatabaseSync(path)
  try {
    const rows = db.prepare('SELECT id, tags FROM millrace_job').all()
    const tags = rows.flatMap((row) => (row.tags === null ? [] : [String(JSON.parse(String(row.tags)))]))
    const byTag = new Map([...Map.groupBy(tags, (tag) => tag)].map(([tag, all]) => [tag, all.length]))
    return { ids: new Set(rows.map((row) => String(row.id))), byTag }
  } finally {
    db.close()
  }
}

function start(path: string, log: string) {
  return startChild(join(import.meta.dirname, 'producer.ts'), [`sqlite:${path}?durability=normal`, log])
}
