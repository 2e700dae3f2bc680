/** Fails on a file of more than 400 lines and warns above 300: a reader should see a subject on two screens. */
import { finish, projectRoot } from './report.ts'
import { sizeFaults } from './sizes.ts'
import { readSources } from './source.ts'

const { faults, warnings } = sizeFaults(readSources(projectRoot, ['src', 'test', 'scripts', 'examples', 'bench']))
finish(faults, warnings)
