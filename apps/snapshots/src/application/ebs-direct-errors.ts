import { AwsError } from '@holdfast/contracts';
import { isRefusal } from '@holdfast/ec2';

/** EBS direct's own errors, with the reason that its clients look at. */
export const invalidRequest = (Reason: string, message: string): AwsError =>
  new AwsError({ code: 'ValidationException', message, members: { Reason } });

export const invalidParameter = (message: string): AwsError => invalidRequest('INVALID_PARAMETER_VALUE', message);

export const snapshotNotFound = (snapshotId: string): AwsError =>
  new AwsError({
    code: 'ResourceNotFoundException',
    message: `The snapshot '${snapshotId}' does not exist.`,
    members: { Reason: 'SNAPSHOT_NOT_FOUND' },
  });

export const alreadyCompleted = (): AwsError => invalidRequest('INVALID_SNAPSHOT_ID', 'Snapshot is already completed');

export const conflict = (): AwsError =>
  new AwsError({
    code: 'ConflictException',
    message: 'Current request does not match request stored with this token.',
  });

export const tooManyPending = (): AwsError =>
  new AwsError({
    code: 'ConcurrentLimitExceededException',
    message: 'You have reached the limit of concurrent pending snapshots created with StartSnapshot.',
  });

/** Whom KMS does not let know a key learns no more than that. */
const HIDDEN = new Set(['AccessDeniedException', 'NotFoundException']);

const kmsFailure = (kmsCode: string, message: string): AwsError =>
  HIDDEN.has(kmsCode)
    ? new AwsError({
        code: 'ResourceNotFoundException',
        message: 'KMS key not found.',
        members: { Reason: 'DEPENDENCY_RESOURCE_NOT_FOUND' },
      })
    : invalidRequest('INVALID_DEPENDENCY_REQUEST', message);

/** What KMS refused, in EBS direct's words. @throws what is no refusal, as it is. */
export const fromKms = (error: unknown): never => {
  throw isRefusal(error) ? kmsFailure(error.code, error.message === '' ? error.code : error.message) : error;
};

/** What the data plane refused: KMS's no to a block host, among others. @throws what has no word of its own, as it is. */
export const fromDataPlane =
  (snapshotId: string) =>
  (error: unknown): never => {
    if (!(error instanceof AwsError)) throw error;
    const kmsCode = error.members?.['kmsCode'];
    if (error.code === 'KmsKeyUnusable')
      throw kmsFailure(typeof kmsCode === 'string' ? kmsCode : error.code, error.message);
    if (error.code === 'SnapshotNotFound') throw snapshotNotFound(snapshotId);
    if (error.code === 'UploadClosed') throw alreadyCompleted();
    throw new Error(`the data plane refused: ${error.code}`, { cause: error });
  };
