/**
 * Chance that can be replayed, in streams that do not disturb each other: each has a key of its own, so a run that leaves one
 * thing out draws the same numbers for everything else. That is what makes a failing run shrink.
 */
import { generator } from '../../support/random.ts'

/** One stream of numbers. Equal keys give equal streams. */
export class Chance {
  /** The next number in [0, 1). */
  readonly next: () => number

  constructor(...key: readonly number[]) {
    this.next = generator(key.reduce(mixed, 0x9e37_79b9))
  }

  flip(probability: number): boolean {
    return this.next() < probability
  }

  /** A real number from `min` up to `max`. */
  between(min: number, max: number): number {
    return min + (max - min) * this.next()
  }

  /** A whole number from `min` to `max`, both included. */
  whole(min: number, max: number): number {
    return Math.floor(this.between(min, max + 1))
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[Math.floor(this.next() * items.length)] ?? items[0]
  }

  /** One of several, each with its weight. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T {
    const entries = Object.entries(weights) as [T, number][]
    let rest = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [item, weight] of entries) {
      rest -= weight
      if (rest < 0) return item
    }
    throw new Error('there is nothing to choose from')
  }
}

/** A hash that takes in one more number. */
export function mixed(hash: number, value: number): number {
  const h = Math.imul(hash ^ value, 0x85eb_ca6b)
  return Math.imul(h ^ (h >>> 13), 0xc2b2_ae35) ^ (h >>> 16)
}
