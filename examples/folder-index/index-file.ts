/** Reads one file in pieces of 1 MiB, so that a file of 64 MiB neither fills the memory nor holds the event loop. */
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { Discard, handle } from 'millrace'
import { type FileEntry, indexFile } from './jobs.ts'
import { countWords, topWords } from './words.ts'

const MAX_BYTES = 64 * 1024 * 1024
const PIECE_BYTES = 1024 * 1024
const SNIFFED_BYTES = 8192
const KEPT_WORDS = 300

const compress = promisify(gzip)

/** A dead letter at once: trying again would not make the file smaller. */
class TooLarge extends Discard {
  override name = 'TooLarge'
}

/** The system refuses to read it; tried again, then a dead letter. */
class Unreadable extends Error {
  override name = 'Unreadable'
}

/** It was there when the folder was walked; tried again, since an editor may be replacing it. */
class Vanished extends Error {
  override name = 'Vanished'
}

export default handle(indexFile, async ({ root, path }, job) => {
  let file: FileHandle | undefined
  try {
    file = await open(join(root, path), 'r')
    return await readEntry(file, path, job.signal)
  } catch (error) {
    throw explain(error)
  } finally {
    await file?.close()
  }
})

async function readEntry(file: FileHandle, path: string, signal: AbortSignal) {
  const { size } = await file.stat()
  if (size > MAX_BYTES) throw new TooLarge(`${Math.ceil(size / PIECE_BYTES)} MiB; at most 64 MiB are read`)
  const hash = createHash('sha256')
  const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, size + 1))
  const decoder = new TextDecoder()
  const counts = new Map<string, number>()
  const seen = { bytes: 0, packed: 0, lines: 0, words: 0, longestLine: 0, isBinary: false }
  let rest = ''
  for (;;) {
    signal.throwIfAborted()
    const { bytesRead } = await file.read(piece, 0, piece.length)
    if (bytesRead === 0) break
    const bytes = piece.subarray(0, bytesRead)
    hash.update(bytes)
    if (seen.bytes === 0) seen.isBinary = bytes.subarray(0, SNIFFED_BYTES).includes(0)
    seen.bytes += bytesRead
    seen.packed += (await compress(bytes)).length
    if (seen.isBinary) continue
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) addLine(line)
    // A line longer than a piece is counted in parts, at the price of a word cut in two.
    if (rest.length > PIECE_BYTES) {
      addLine(rest)
      rest = ''
    }
  }
  if (rest !== '') addLine(rest)

  function addLine(line: string): void {
    seen.lines++
    seen.longestLine = Math.max(seen.longestLine, line.length)
    seen.words += countWords(line, counts)
  }

  const entry: FileEntry = {
    path,
    kind: seen.isBinary ? 'binary' : 'text',
    size: seen.bytes,
    sha256: hash.digest('hex'),
    lines: seen.lines,
    words: seen.words,
    longestLine: seen.longestLine,
    gzipRatio: seen.bytes === 0 ? 1 : Math.round((seen.packed / seen.bytes) * 1000) / 1000,
  }
  return { entry, words: topWords(counts, KEPT_WORDS) }
}

/** The errors of the system as what they mean for a file. */
function explain(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ENOENT' || code === 'ENOTDIR') return new Vanished('it was gone when it was to be read')
  if (/^E(ACCES|PERM|ISDIR|IO|LOOP|BUSY|MFILE|NFILE|INVAL|NXIO)$/.test(code))
    return new Unreadable(`the system says ${code}`)
  return error
}
