import { newSnapshotId, type WrappedDataKey } from '@holdfast/contracts';
import { testContext } from '@holdfast/messaging/testing';
import { TurnableClock } from '@holdfast/service-kit';
import { describe, expect, it } from 'vitest';
import type { SnapshotStarted } from '../domain/snapshot.events.ts';
import type { DirectParts } from './ebs-direct-ports.ts';
import { StartSnapshot } from './ebs-direct-start-snapshot.ts';

const KEY_ARN = 'arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555';
const wrapped = (dataKeyId: string): WrappedDataKey => ({
  ...{ keyArn: KEY_ARN, encryptedDataKey: 'AAAA', encryptionContext: { 'aws:ebs:id': newSnapshotId() }, dataKeyId },
});

/** @param begun what the data plane says to have begun before. @returns what was stored. */
const startedAfter = async (begun: object | undefined): Promise<SnapshotStarted> => {
  const stored: unknown[] = [];
  const answers: Record<string, unknown> = {
    GetEncryptionDefaults: { encryptByDefault: false, kmsKeyId: null },
    GenerateDataKey: { CiphertextBlob: 'BBBB', KeyId: KEY_ARN },
    StartBlockUpload: begun === undefined ? {} : { begun },
  };
  const answer = (_service: string, action: string) => Promise.resolve(answers[action]);
  const parts = {
    snapshots: {
      load: () => Promise.resolve({ started: null, status: 'none' }),
      handle: (event: unknown) => Promise.resolve(stored.push(event)),
    },
    requests: { call: answer, request: answer },
    clock: new TurnableClock(),
    pendingUploads: () => Promise.resolve(0),
  } as unknown as DirectParts;
  const input = { VolumeSize: 1, Encrypted: true, KmsKeyArn: KEY_ARN, ClientToken: 'token' };
  await new StartSnapshot(parts).run(input, testContext());
  expect(stored).toHaveLength(1);
  return stored[0] as SnapshotStarted;
};

describe('StartSnapshot', () => {
  it('is under the key that it made', async () => {
    expect((await startedAfter(undefined)).dataKey).toMatchObject({ keyArn: KEY_ARN, encryptedDataKey: 'BBBB' });
  });

  it('goes on with what an interrupted request of its token began, under the key of that', async () => {
    const dataKey = wrapped('first');
    expect((await startedAfter({ sizeGiB: 1, parentSnapshotId: null, dataKey })).dataKey).toEqual(dataKey);
  });

  it.each([
    ['size', { sizeGiB: 2, parentSnapshotId: null, dataKey: wrapped('first') }],
    ['parent', { sizeGiB: 1, parentSnapshotId: newSnapshotId(), dataKey: wrapped('first') }],
    ['encryption', { sizeGiB: 1, parentSnapshotId: null, dataKey: null }],
    ['key', { sizeGiB: 1, parentSnapshotId: null, dataKey: { ...wrapped('first'), keyArn: `${KEY_ARN}x` } }],
  ])('conflicts with one of another %s', async (_, begun) => {
    await expect(startedAfter(begun)).rejects.toMatchObject({ code: 'ConflictException' });
  });
});
