/**
 * Which kinds of jobs have made a heap grow. Pure.
 *
 * Nobody sees which job holds what; what is seen is how large the heap was when so many jobs of each kind had run. So its size is
 * fitted as a base and, for each kind, so much more for each of its jobs, never less: least squares over the samples, by coordinate
 * descent (Lawson and Hanson, Solving Least Squares Problems, ch. 23, is the problem). A small penalty on large shares divides what
 * cannot be told apart, since two kinds always ran side by side, evenly among them.
 */

/** The heap at one time, and how many jobs of each kind had run by then. */
export interface HeapSample {
  readonly bytes: number
  readonly ran: ReadonlyMap<string, number>
}

/** A kind of job, and by how much the heap has grown with its jobs. */
export type Growth = readonly [name: string, bytes: number]

const ROUNDS = 1000
const PENALTY = 0.003
/** What is less is the noise of a heap at work. */
const LEAST_BYTES = 1024 * 1024
const LEAST_SAMPLES = 4

/** The kinds that the heap has grown with, the most first; none when there are too few samples to tell. */
export function growthByKind(samples: readonly HeapSample[]): readonly Growth[] {
  const last = samples.at(-1)
  if (last === undefined || samples.length < LEAST_SAMPLES) return []
  const names = [...last.ran.keys()]
  // Of each kind the share of its jobs that had run: from 0 to 1, and centred, so that the base falls out.
  const shares = names.map((name) =>
    centred(samples.map(({ ran }) => (ran.get(name) ?? 0) / (last.ran.get(name) ?? 1))),
  )
  const rest = centred(samples.map(({ bytes }) => bytes))
  const grown = names.map(() => 0)
  for (let round = 0; round < ROUNDS; round++) {
    for (const [k, share] of shares.entries()) {
      const norm = dot(share, share)
      if (norm === 0) continue
      const before = grown[k] ?? 0
      const next = Math.max(0, (dot(share, rest) + norm * before) / (norm * (1 + PENALTY)))
      grown[k] = next
      share.forEach((value, i) => {
        rest[i] = (rest[i] ?? 0) - value * (next - before)
      })
    }
  }
  return names
    .map((name, k): Growth => [name, Math.round(grown[k] ?? 0)])
    .filter(([, bytes]) => bytes >= LEAST_BYTES)
    .sort((a, b) => b[1] - a[1])
}

function centred(values: readonly number[]): number[] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return values.map((value) => value - mean)
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0)
}
