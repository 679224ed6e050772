import { DescribeInstancesCommand, DescribeVolumesCommand } from '@aws-sdk/client-ec2';
import { ListGrantsCommand, ListKeysCommand } from '@aws-sdk/client-kms';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { TestAccount } from './account.ts';
import { holdfast } from './command-line.ts';

/** What a failure must not leave behind. */
export interface Traces {
  /** Names of grants on the account's keys. */
  readonly grants: readonly string[];
  /** Under the folders of volumes, snapshots and instances' devices. */
  readonly files: readonly string[];
  /** Volumes that exist, and instances that are not terminated. */
  readonly resources: readonly string[];
  /** Streams of volumes and snapshots whose story has not ended. */
  readonly openStreams: readonly string[];
}

const grantsIn = async ({ kms }: TestAccount): Promise<string[]> => {
  const { Keys = [] } = await kms.send(new ListKeysCommand({ Limit: 1000 }));
  const lists = await Promise.all(Keys.map(({ KeyId }) => kms.send(new ListGrantsCommand({ KeyId }))));
  return lists.flatMap(({ Grants = [] }) => Grants.map(({ Name = '', GrantId = '' }) => `${Name} ${GrantId}`)).sort();
};

const filesUnder = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

const resourcesOf = async ({ ec2 }: TestAccount): Promise<string[]> => {
  const { Volumes = [] } = await ec2.send(new DescribeVolumesCommand({}));
  const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({}));
  const instances = Reservations.flatMap((reservation) => reservation.Instances ?? []);
  const living = instances.filter(({ State }) => State?.Name !== 'terminated').map(({ InstanceId = '' }) => InstanceId);
  return [...Volumes.map(({ VolumeId = '' }) => VolumeId), ...living].sort();
};

/** Last words of volumes and snapshots. */
const ENDS = new Set(['VolumeDeleted', 'VolumeCreationFailed', 'SnapshotDeleted', 'SnapshotFailed']);

const openStreamsOf = async (home: string): Promise<string[]> => {
  const { stdout } = await holdfast(home, 'events', '--json');
  const last = new Map<string, string>();
  for (const line of stdout.split('\n').filter((text) => text !== '')) {
    const { streamId, type } = JSON.parse(line) as { streamId: string; type: string };
    if (/^(volume|snapshot)-/.test(streamId)) last.set(streamId, type);
  }
  return [...last].flatMap(([streamId, type]) => (ENDS.has(type) ? [] : [streamId])).sort();
};

const look = async (account: TestAccount, home: string): Promise<Omit<Traces, 'openStreams'>> => ({
  grants: await grantsIn(account),
  files: [...(await filesUnder(join(home, 'data-plane'))), ...(await filesUnder(join(home, 'instances')))],
  resources: await resourcesOf(account),
});

const LOOK_AGAIN_MS = 300;

/** What there is once nothing comes or goes any more: the same at two looks. */
export const tracesOf = async (account: TestAccount, home: string): Promise<Traces> => {
  let before = await look(account, home);
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    const now = await look(account, home);
    if (isDeepStrictEqual(now, before)) return { ...now, openStreams: await openStreamsOf(home) };
    before = now;
  }
};
