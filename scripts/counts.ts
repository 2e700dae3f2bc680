/** How many tests passed and failed, by vitest's JSON report. */

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: readonly {
    readonly status: string
    readonly assertionResults: readonly { readonly status: string }[]
  }[]
}

/**
 * The counts of a run. A file that failed without a failed test (it did not load, or a hook threw) counts as one failed,
 * and so does a run without a report or one that ended with an error no test shows.
 */
export function countTests(
  json: string | undefined,
  exitCode: number,
): { readonly passed: number; readonly failed: number } {
  if (json === undefined) return { passed: 0, failed: 1 }
  const report = JSON.parse(json) as Report
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length
  const failed = report.numFailedTests + brokenFiles
  return { passed: report.numPassedTests, failed: failed === 0 && exitCode !== 0 ? 1 : failed }
}
