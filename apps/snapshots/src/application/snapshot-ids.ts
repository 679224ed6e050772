import type { SnapshotId } from '@holdfast/contracts';
import { invalidParameterValue, missingParameter } from '@holdfast/ec2';
import { parseSnapshotId } from './ids.ts';

/** @throws AwsError MissingParameter | InvalidParameterValue */
export const snapshotIdOf = (text: string | undefined): SnapshotId => {
  if (text === undefined || text === '') throw missingParameter('snapshotId');
  const snapshotId = parseSnapshotId(text);
  if (snapshotId === null)
    throw invalidParameterValue(`Value (${text}) for parameter snapshotId is invalid. Expected: 'snap-...'.`);
  return snapshotId;
};
