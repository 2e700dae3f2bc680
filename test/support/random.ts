/** Chance that can be replayed. */

/** A seeded generator of numbers in [0, 1): Mulberry32. */
export function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** The seed of a test: `MILLRACE_SEED`, else a fresh one in a long run, else the fixed one. Printed, so that it can be replayed. */
export function seedOf(fixed: number): number {
  const fresh = process.env.MILLRACE_LONG ? Date.now() % 2 ** 31 : fixed
  const seed = Number(process.env.MILLRACE_SEED ?? fresh)
  console.log(`seed ${seed}: replay with MILLRACE_SEED=${seed}`)
  return seed
}
