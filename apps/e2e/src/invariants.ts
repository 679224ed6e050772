import { DescribeSnapshotsCommand, DescribeVolumesCommand } from '@aws-sdk/client-ec2';
import { DecryptCommand, ListGrantsCommand, ListKeysCommand } from '@aws-sdk/client-kms';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestAccount } from './account.ts';
import { holdfast } from './command-line.ts';
import {
  type LoggedEvent,
  type SnapshotStory,
  snapshotStories,
  type VolumeStory,
  volumeStories,
  type WrappedKey,
} from './stories.ts';

/** What is to be true whenever nothing is under way, however it came about. Each violation is a sentence. */
export const violations = async (account: TestAccount, home: string): Promise<string[]> => {
  const events = await loggedEvents(home);
  const volumes = volumeStories(events);
  const snapshots = snapshotStories(events);
  return [
    ...volumes.flatMap(({ faults }) => faults),
    ...unsettled(volumes, snapshots),
    ...(await grantFaults(account, volumes)),
    ...(await fileFaults(home, volumes, snapshots)),
    ...(await descriptionFaults(account, volumes, snapshots)),
    ...(await parkedEvents(home)),
  ];
};

const loggedEvents = async (home: string): Promise<LoggedEvent[]> => {
  const { stdout } = await holdfast(home, 'events', '--json');
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LoggedEvent);
};

const parkedEvents = async (home: string): Promise<string[]> => {
  const { code, stdout, stderr } = await holdfast(home, 'parked', 'list');
  return code === 0 && stdout.trim() === 'nothing is parked' ? [] : [`parked: ${stdout}${stderr}`];
};

const unsettled = (volumes: readonly VolumeStory[], snapshots: readonly SnapshotStory[]): string[] => [
  ...volumes.flatMap(({ id, status }) =>
    status === 'creating' || status === 'deleting' ? [`${id} is ${status}`] : [],
  ),
  ...volumes.flatMap(({ id, attachments }) =>
    [...attachments].flatMap(([instance, { phase }]) =>
      phase === 'attached' ? [] : [`${id} is ${phase} at ${instance}`],
    ),
  ),
  ...snapshots.flatMap(({ id, status }) =>
    status === 'pending' || status === 'deleting' ? [`${id} is ${status}`] : [],
  ),
];

/** What one list has and the other one lacks. */
const difference = (what: string, actual: readonly string[], expected: readonly string[]): string[] => [
  ...actual.filter((each) => !expected.includes(each)).map((each) => `${what}: ${each} should not be`),
  ...expected.filter((each) => !actual.includes(each)).map((each) => `${what}: ${each} is missing`),
];

const grantFaults = async ({ kms }: TestAccount, volumes: readonly VolumeStory[]): Promise<string[]> => {
  const { Keys = [] } = await kms.send(new ListKeysCommand({ Limit: 1000 }));
  const lists = await Promise.all(Keys.map(({ KeyId }) => kms.send(new ListGrantsCommand({ KeyId, Limit: 1000 }))));
  const actual = lists.flatMap(({ Grants = [] }) => Grants);
  const names = new Map(actual.map(({ GrantId = '', Name = '' }) => [GrantId, Name]));
  const expected = volumes.flatMap(({ serviceGrantId, attachments }) =>
    [serviceGrantId, ...[...attachments.values()].map(({ grantId }) => grantId)].filter((id) => id !== null),
  );
  return difference('grant', [...names.keys()], expected).map((fault) =>
    fault.replace(/[0-9a-f]{64}/, (id) => `${names.get(id) ?? ''} ${id}`),
  );
};

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);

const socketsOf = async (home: string): Promise<string[]> => {
  const folder = join(home, 'instances');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => !entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name));
};

const fileFaults = async (
  home: string,
  volumes: readonly VolumeStory[],
  snapshots: readonly SnapshotStory[],
): Promise<string[]> => {
  const living = volumes.filter(({ status }) => status === 'there');
  const devices = living.flatMap(({ attachments }) =>
    [...attachments].flatMap(([instance, { device, suspended }]) =>
      suspended ? [] : [join(home, 'instances', instance, device)],
    ),
  );
  const complete = snapshots.filter(({ status, hasFiles }) => status === 'completed' && hasFiles);
  return [
    ...difference('device', await socketsOf(home), devices),
    ...difference('volume files', await namesIn(join(home, 'data-plane/volumes')), living.map(({ id }) => id)),
    ...difference('snapshot files', await namesIn(join(home, 'data-plane/snapshots')), complete.map(({ id }) => id)),
  ]; // prettier-ignore
};

/** Describe shows what the stories tell, and every data key is under the KMS key that it shows. */
const descriptionFaults = async (
  account: TestAccount,
  volumes: readonly VolumeStory[],
  snapshots: readonly SnapshotStory[],
): Promise<string[]> => {
  const { Volumes = [] } = await account.ec2.send(new DescribeVolumesCommand({}));
  const { Snapshots = [] } = await account.ec2.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'] }));
  const living = volumes.filter(({ status }) => status === 'there');
  const kept = snapshots.filter(({ status, hasFiles }) => hasFiles && (status === 'completed' || status === 'error'));
  const dataKeys = new Map([...living, ...kept].map(({ id, dataKey }) => [id, dataKey]));
  const described = [
    ...Volumes.map(({ VolumeId = '', KmsKeyId }) => ({ id: VolumeId, KmsKeyId })),
    // A copy that failed shows the key it was asked for.
    ...Snapshots.filter(({ State }) => State === 'completed').map(({ SnapshotId = '', KmsKeyId }) => ({
      id: SnapshotId,
      KmsKeyId,
    })),
  ];
  const shownAt = Volumes.flatMap(({ VolumeId = '', Attachments = [] }) =>
    Attachments.map(({ InstanceId = '' }) => `${VolumeId} at ${InstanceId}`),
  );
  const toldAt = living.flatMap(({ id, attachments }) =>
    [...attachments.keys()].map((instance) => `${id} at ${instance}`),
  );
  const keyFaults = described.map(({ id, KmsKeyId }) => keyFault(account, id, KmsKeyId, dataKeys.get(id) ?? null));
  const shown = [
    ...Volumes.map(({ VolumeId = '' }) => VolumeId),
    ...Snapshots.map(({ SnapshotId = '' }) => SnapshotId),
  ];
  return [
    ...difference('description', shown, [...dataKeys.keys()]),
    ...difference('attachment', shownAt, toldAt),
    ...(await Promise.all(keyFaults)).flat(),
  ];
};

const keyFault = async (
  { kms }: TestAccount,
  id: string,
  described: string | undefined,
  dataKey: WrappedKey | null,
): Promise<string[]> => {
  if (dataKey?.keyArn !== described)
    return [`${id} is under ${dataKey?.keyArn ?? 'no key'}, not ${described ?? 'none'}`];
  if (dataKey === null) return [];
  const { encryptedDataKey, encryptionContext } = dataKey;
  const CiphertextBlob = Buffer.from(encryptedDataKey, 'base64');
  const decrypt = new DecryptCommand({ KeyId: described, CiphertextBlob, EncryptionContext: encryptionContext });
  const { Plaintext } = await kms.send(decrypt);
  return Plaintext?.length === 64 ? [] : [`${id} has a data key of ${String(Plaintext?.length)} bytes`];
};
