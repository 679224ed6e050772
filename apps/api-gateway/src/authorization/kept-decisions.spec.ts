import { expect, it } from 'vitest';
import { isKeptWhenAllowed } from './kept-decisions.ts';

it.each([
  ['ec2', 'CreateVolume', true],
  ['ec2', 'AttachVolume', true],
  ['iam', 'DeleteAccessKey', true],
  ['ec2', 'DescribeVolumes', false],
  ['iam', 'GetUser', false],
  ['ebs', 'PutSnapshotBlock', false],
] as const)('of a call of %s %s that is allowed is kept: %s', (service, operation, kept) => {
  expect(isKeptWhenAllowed({ service, operation })).toBe(kept);
});
