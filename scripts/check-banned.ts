/** Fails where a file does what its folder forbids; scripts/banned.ts holds the rules. */
import { bannedFaults } from './banned.ts'
import { finish, projectRoot } from './report.ts'
import { readSources } from './source.ts'

finish(bannedFaults(readSources(projectRoot, ['src', 'test', 'scripts', 'examples', 'bench'])))
