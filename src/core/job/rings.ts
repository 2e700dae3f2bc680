/** Jobs that wait for each other in a ring: none of them will ever be released. */

/** One edge: the child waits for the parent. Ids. */
export type Bond = readonly [parent: string, child: string]

/**
 * The rings among these edges, no job in two of them: each begins with its lowest id, and each job waits for the next, the last
 * for the first. Of rings that share jobs one is told; when it is broken, the others are found. A part of the edges gives a part
 * of the rings, and never one that is not there. Cost: each edge is looked at a few times, whatever the shape.
 */
export function ringsOf(edges: readonly Bond[]): readonly (readonly string[])[] {
  const parents = new Map<string, string[]>()
  for (const [parent, child] of edges) {
    const known = parents.get(child)
    if (known === undefined) parents.set(child, [parent])
    else known.push(parent)
  }
  const rings: string[][] = []
  /** Looked at to the end: no further ring goes through them. */
  const done = new Set<string>()
  for (const start of [...parents.keys()].sort()) {
    // The way from the start, each waiting for the next; a loop and not a recursion, since a chain may be as long as it likes.
    const way: { readonly id: string; next: number }[] = []
    const placeOf = new Map<string, number>()
    const enter = (id: string) => {
      placeOf.set(id, way.length)
      way.push({ id, next: 0 })
    }
    if (!done.has(start)) enter(start)
    for (let last = way.at(-1); last !== undefined; last = way.at(-1)) {
      const parent = parents.get(last.id)?.[last.next++]
      if (parent === undefined) {
        done.add(last.id)
        placeOf.delete(last.id)
        way.pop()
      } else if (!done.has(parent)) {
        const place = placeOf.get(parent)
        if (place === undefined) enter(parent)
        else {
          const ring = way.splice(place).map(({ id }) => id)
          for (const id of ring) {
            done.add(id)
            placeOf.delete(id)
          }
          rings.push(fromLowest(ring))
        }
      }
    }
  }
  return rings
}

function fromLowest(ring: readonly string[]): string[] {
  const lowest = ring.reduce((least, id, i) => (id < (ring[least] ?? '') ? i : least), 0)
  return [...ring.slice(lowest), ...ring.slice(0, lowest)]
}
