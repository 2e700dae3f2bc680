/** Walks every job that carries sealed bytes, so that they can be sealed anew under another key. */
import type { JobsFacet, ResealResult, SealedBytes } from '../contract/index.ts'
import type { Job } from './job.ts'
import type { Tables } from './tables.ts'

type Visit = Parameters<JobsFacet['reseal']>[2]

/** Shows `visit` the next jobs that are not running and keeps what it returns, unless the job changed meanwhile. */
export async function reseal(
  tables: Tables,
  cursor: string | null,
  limit: number,
  visit: Visit,
): Promise<ResealResult> {
  const page: Job[] = []
  for (const job of tables.byId) {
    if (page.length === limit) break
    if (job.state !== 'processing' && (cursor === null || job.id > cursor)) page.push(job)
  }
  let rewritten = 0
  for (const job of page) {
    const { epoch, state } = job
    const fields = await visit({ id: job.id, name: job.name, fields: sealedFields(job) })
    const isSame = tables.jobs.get(job.id) === job && job.epoch === epoch && job.state === state
    if (!isSame || fields.length === 0) continue
    for (const field of fields) writeBack(job, field)
    rewritten++
  }
  return { next: page.length < limit ? null : (page.at(-1)?.id ?? null), visited: page.length, rewritten }
}

function sealedFields(job: Job): readonly SealedBytes[] {
  const fields: SealedBytes[] = []
  const add = (field: SealedBytes['field'], bytes: Uint8Array | null, epoch = job.epoch) => {
    if (bytes !== null) fields.push({ field, epoch, bytes })
  }
  add('payload', job.payload)
  add('result', job.result)
  add('error', job.error)
  add('progress', job.progressNote)
  add('checkpoint', job.checkpoint)
  for (const past of job.history) add(`history:${past.attempt}`, past.error, past.epoch)
  for (const line of job.logs) add(`log:${line.seq}`, line.message)
  return fields
}

function writeBack(job: Job, { field, epoch, bytes }: SealedBytes): void {
  const number = Number(field.split(':')[1])
  if (field === 'payload') job.payload = bytes
  else if (field === 'result') job.result = bytes
  else if (field === 'error') job.error = bytes
  else if (field === 'progress') job.progressNote = bytes
  else if (field === 'checkpoint') job.checkpoint = bytes
  else if (field.startsWith('log:'))
    job.logs = job.logs.map((line) => (line.seq === number ? { ...line, message: bytes } : line))
  else {
    job.history = job.history.map((past) => (past.epoch === epoch ? { ...past, error: bytes } : past))
  }
}
