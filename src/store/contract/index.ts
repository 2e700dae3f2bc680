/** What a store driver implements, and what everyone else sees of a store. */
export type {
  JobCondition,
  JobFilter,
  NumberField,
  SpanField,
  TextField,
} from '../../core/filter/job-filter.ts'
export { readHealth, readStatus, type WorkerHealth, type WorkerStatus } from '../../core/health.ts'
export {
  type ClaimedJob,
  type ClaimRequest,
  type Completion,
  type CrashedSettlement,
  type ExchangeRequest,
  type ExchangeResult,
  type ExtendResult,
  type HeldResult,
  isCrashed,
  type JobReport,
  type Lease,
  type QueueShare,
  type ReportResult,
  type Settlement,
  type SettleResult,
} from './attempt.ts'
export {
  COPY_PARTS,
  type CopiedId,
  type CopiedJob,
  type CopiedKey,
  type CopiedLine,
  type CopiedQueue,
  type CopiedValue,
  type CopyFacet,
  type CopyPage,
  type CopyPart,
  type CopyParts,
} from './copy.ts'
export { DIAGNOSED_ROWS, type Diagnosis, type DiagnosisCode, type DiagnosisLimits } from './diagnosis.ts'
export type {
  AttemptRecord,
  ChangeRequest,
  ChangeResult,
  CountResult,
  EdgeRow,
  JobChange,
  JobRow,
  ListRequest,
  ListResult,
  LogLine,
  ResealResult,
  SealedBytes,
  SealedRow,
} from './job-row.ts'
export type {
  CancelResult,
  JobsFacet,
  ReclaimedJob,
  RemoveResult,
  Retention,
  RetryResult,
  UpdateResult,
} from './jobs.ts'
export {
  MESSAGE_VERBS,
  MESSAGES_AT_ONCE,
  type Message,
  type MessageVerb,
  type NewMessage,
  readVerb,
} from './mailbox.ts'
export type { EdgePolicy, InsertResult, NewEdge, NewJob, NewUnique } from './new-job.ts'
export type {
  Capabilities,
  ClusterFacet,
  MigrationStep,
  NodeRow,
  Percentiles,
  QueueInfo,
  QueueStats,
  QueuesFacet,
  SchemaVersion,
  StateFacet,
  Store,
  WakeFacet,
} from './store.ts'
export {
  type DriverTransaction,
  handleOf,
  type StatementTransaction,
  type TransactionHandle,
  type TransactionValue,
  transactionHandle,
} from './transaction.ts'
