/** The job that Sidequest runs: it imports this file by its path when it runs one. */
import { Job } from 'sidequest'

export class Noop extends Job {
  async run(input) {
    await globalThis.sawJob?.(input)
  }
}
