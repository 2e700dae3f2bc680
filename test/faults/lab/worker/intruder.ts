/**
 * Another program on the file of an SQLite store. Arguments: the file, and what it does: `exclusive` or `immediate` holds the lock
 * for as many milliseconds as the third says; `read` holds a snapshot, so that the log cannot be reset; `checkpoint` resets the log
 * as often as it can until its stdin ends. It says `held` when it holds, `over` when it has let go, `reset N` at the end.
 */
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'

const [, , path = '', how = '', ms = '0'] = process.argv
const WAIT_MS = 20_000
const db = new DatabaseSync(path, { timeout: WAIT_MS })
let isTold = false
process.stdin.on('end', () => {
  isTold = true
})
process.stdin.resume()

if (how === 'checkpoint') await checkpoint()
else await hold()
db.close()
process.exit(0)

async function hold(): Promise<void> {
  if (how === 'read') {
    db.exec('BEGIN')
    db.prepare('SELECT count(*) FROM millrace_job').get()
  } else db.exec(how === 'exclusive' ? 'BEGIN EXCLUSIVE' : 'BEGIN IMMEDIATE')
  console.log('held')
  await pause(Number(ms))
  db.exec('ROLLBACK')
  console.log('over')
}

async function checkpoint(): Promise<void> {
  const reset = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)')
  let resets = 0
  console.log('held')
  while (!isTold) {
    // Busy when somebody else reads or writes at that moment.
    if (reset.get()?.busy === 0) resets++
    await pause(1)
  }
  console.log(`reset ${resets}`)
}
