/** Rows that the database refuses one by one: they fail alone, and whoever added many is told which. */
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { type BulkEnqueueFields, defineJob, MillraceError } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { tempStorePath } from '../support/temp-store.ts'

const plain = defineJob({ name: 'plain', run: (input: unknown) => input })

/** A store in which a trigger of somebody else's refuses jobs whose id ends with one of two digits. */
async function pickyStore() {
  const path = tempStorePath()
  const mill = await openMill({ store: `sqlite:${path}` })
  const db = new DatabaseSync(path)
  onTestFinished(() => db.close())
  db.exec(`CREATE TRIGGER theirs BEFORE INSERT ON millrace_job WHEN substr(NEW.id, -1) IN ('a', '7')
    BEGIN SELECT RAISE(ABORT, 'no id may end so'); END`)
  return mill
}
const isPicked = (id: string) => /[a7]$/.test(id)

describe('a row that the database refuses', () => {
  test('fails its own call among many in flight, and no other', async () => {
    const mill = await pickyStore()
    const ids = Array.from({ length: 200 }, () => newId())

    const answers = await Promise.allSettled(ids.map((id) => mill.enqueue(plain, 1, { id })))

    for (const [i, answer] of answers.entries()) {
      if (isPicked(ids[i] ?? '')) {
        expect(answer).toMatchObject({
          status: 'rejected',
          reason: { code: 'STORE_CONSTRAINT', fields: { id: ids[i] } },
        })
        expect(String((answer as PromiseRejectedResult).reason)).toContain('no id may end so')
      } else expect(answer).toMatchObject({ status: 'fulfilled', value: { id: ids[i], status: 'created' } })
    }
    expect(await mill.count()).toMatchObject({ count: ids.filter((id) => !isPicked(id)).length })
  })

  test('among the inputs of enqueueMany is named by its place; the others are committed and named too', async () => {
    const mill = await pickyStore()
    const inputs = Array.from({ length: 1500 }, (_, i) => i)

    const error = await mill.enqueueMany(plain, inputs).catch((each: unknown) => each)

    expect(error).toBeInstanceOf(MillraceError)
    expect(error).toMatchObject({ code: 'BULK_PARTIAL', cause: { code: 'STORE_CONSTRAINT' } })
    // The shape that the docstring of `enqueueMany` promises.
    const { total, done, refused, remaining } = (error as MillraceError).fields as unknown as BulkEnqueueFields
    expect(total).toBe(1500)
    expect([...done, ...refused].map(({ index }) => index).toSorted((a, b) => a - b)).toEqual(inputs)
    expect(refused.length).toBeGreaterThan(0)
    expect(refused.every(({ id, code }) => isPicked(id) && code === 'STORE_CONSTRAINT')).toBe(true)
    expect(remaining).toEqual(refused.map(({ index }) => index))
    expect(await mill.count()).toMatchObject({ count: done.length })
    for (const { index, id } of done.slice(0, 20)) expect((await mill.get(id))?.input).toBe(index)
  })

  test('is the plain refusal when nothing else was written', async () => {
    const mill = await openMill()

    await expect(mill.enqueueMany(plain, [1, 2], { dependsOn: newId() })).rejects.toMatchObject({
      code: 'PARENT_NOT_FOUND',
    })
    expect(await mill.count()).toMatchObject({ count: 0 })
  })
})
