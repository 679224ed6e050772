import { AwsError } from '@holdfast/contracts';
import type { ServiceId } from './service-model.ts';

interface Refusal {
  readonly operations: readonly string[];
  readonly member: string;
  readonly refuses: (value: string) => boolean;
  readonly reason: string;
  readonly text: (value: string) => string;
}

/** Values that a service refuses in words of its own, where its model has constraints that say less. EBS direct: as recorded. */
const REFUSALS: Readonly<Partial<Record<ServiceId, readonly Refusal[]>>> = {
  ebs: [
    {
      operations: ['ListChangedBlocks'],
      member: 'FirstSnapshotId',
      refuses: (value) => value.trim() === '',
      reason: 'INVALID_SNAPSHOT_ID',
      text: () => 'First snapshot should not be empty or null',
    },
    {
      operations: ['PutSnapshotBlock', 'CompleteSnapshot'],
      member: 'ChecksumAlgorithm',
      refuses: (value) => value !== 'SHA256',
      reason: 'INVALID_PARAMETER_VALUE',
      text: (value) => `Unsupported Checksum Algorithm '${value}', supported algorithms are SHA256`,
    },
  ],
};

/** Longer ones are left to the model's constraints. */
const MAX_QUOTED = 32;

/** @throws AwsError ValidationException, with its reason, for a value that has a refusal of its own. */
export const refuseAsRecorded = (
  service: ServiceId,
  operation: string,
  input: Readonly<Record<string, unknown>>,
): void => {
  for (const { operations, member, refuses, reason, text } of REFUSALS[service] ?? []) {
    const value = input[member];
    if (!operations.includes(operation) || typeof value !== 'string' || value.length > MAX_QUOTED) continue;
    if (refuses(value))
      throw new AwsError({ code: 'ValidationException', message: text(value), members: { Reason: reason } });
  }
};

/** The bytes of a payload are what is stored. @throws AwsError ValidationException with INVALID_CONTENT_ENCODING */
export const refuseEncoded = (contentEncoding: string | undefined): void => {
  const encoding = contentEncoding?.trim() ?? '';
  if (encoding === '' || encoding.toLowerCase() === 'identity') return;
  throw new AwsError({
    code: 'ValidationException',
    message: `Unsupported Content-Encoding '${encoding.slice(0, MAX_QUOTED)}'`,
    members: { Reason: 'INVALID_CONTENT_ENCODING' },
  });
};
