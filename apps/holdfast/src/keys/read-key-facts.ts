import { randomUUID } from 'node:crypto';
import { accountId, region, type RequestContext } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import { UserError } from '../errors.ts';
import type {
  DefaultFact,
  GrantFact,
  ImageFact,
  KeyDescription,
  KeyFacts,
  OtherUses,
  Replica,
  SnapshotFact,
  UnderWayFact,
  VolumeFact,
} from './key-facts.ts';
import type { FoundKey } from './key-names.ts';
import type { Query, StackTables } from './stack-tables.ts';

const KEYS = `
  SELECT key_id AS "keyId", account_id AS "accountId", region, key_manager AS "keyManager", key_spec AS "keySpec",
    key_usage AS "keyUsage", origin, state, multi_region AS "multiRegion", primary_region AS "primaryRegion",
    deletion_at AS "deletionAt"
  FROM kms_keys WHERE key_id = $1 ORDER BY region`;

type KeyRow = Omit<KeyDescription, 'arn' | 'deletionDate'> & { deletionAt: Date | null };

const readKey = async (kms: Query, { arn, keyId, region: own }: FoundKey) => {
  const rows = await kms<KeyRow>(KEYS, [keyId]);
  const row = rows.find((one) => one.region === own);
  if (row === undefined) throw new UserError(`key ${arn} has just been deleted`);
  const { deletionAt, ...rest } = row;
  const key: KeyDescription = { ...rest, arn, deletionDate: deletionAt?.toISOString() ?? null };
  const replicas: Replica[] = rows
    .filter((one) => one !== row)
    .map(({ region: name, state, primaryRegion }) => ({
      region: name,
      arn: arn.replace(/^(arn:aws:kms:)[^:]+/, `$1${name}`),
      state,
      isPrimary: name === primaryRegion,
    }));
  return { key, replicas };
};

const ALIASES = 'SELECT alias_name FROM aliases WHERE target_key_id = $1 AND region = $2 ORDER BY alias_name';

const GRANTS = `
  SELECT grant_id AS "grantId", grantee_principal AS "granteePrincipal", operations,
    coalesce(constraints->'EncryptionContextSubset'->>'aws:ebs:id', constraints->'EncryptionContextEquals'->>'aws:ebs:id')
      AS "ebsId"
  FROM grants WHERE key_id = $1 AND region = $2 ORDER BY position`;

const VOLUMES = `
  SELECT v.volume_id AS "volumeId", v.account_id AS "accountId", v.region, v.status AS state, v.size_gib AS "sizeGiB",
    coalesce((SELECT jsonb_agg(jsonb_build_object('instanceId', a.instance_id, 'device', a.device,
      'state', a.state, 'suspended', a.suspended) ORDER BY a.instance_id)
      FROM attachments a WHERE a.volume_id = v.volume_id), '[]') AS attachments
  FROM volumes v WHERE v.kms_key_arn = $1 ORDER BY v.volume_id`;

const SNAPSHOTS = `
  SELECT snapshot_id AS "snapshotId", owner_id AS "ownerId", region, state, is_copy AS "isCopy", volume_id AS "volumeId",
    volume_size_gib AS "sizeGiB", shared_with AS "sharedWith", is_public AS "isPublic"
  FROM snapshots WHERE key_arn = $1 ORDER BY snapshot_id`;

const VOLUMES_UNDER_WAY = `
  SELECT 'volume' AS kind, volume_id AS id, account_id AS "accountId", snapshot_id AS "fromSnapshotId" FROM volumes
  WHERE status = 'creating' AND snapshot_id = ANY ($1) AND kms_key_arn IS DISTINCT FROM $2 ORDER BY volume_id`;

const COPIES_UNDER_WAY = `
  SELECT 'snapshot' AS kind, snapshot_id AS id, owner_id AS "accountId", source_id AS "fromSnapshotId" FROM snapshots
  WHERE state = 'pending' AND source_id = ANY ($1) AND key_arn IS DISTINCT FROM $2 ORDER BY snapshot_id`;

/** Under EBS's encryption context the key protects volumes and snapshots, which are listed one by one. */
const OTHER_USES = `
  SELECT count(*) AS count, array_remove(array_agg(DISTINCT data->>'principalArn'), NULL) AS principals,
    max((data->>'at')::timestamptz) AS last_at
  FROM events WHERE type = 'KeyUsed' AND data->>'keyArn' = $1 AND data->'encryptionContext'->>'aws:ebs:id' IS NULL`;

const readOtherUses = async (kms: Query, arn: string): Promise<OtherUses> => {
  const [row] = await kms<{ count: string; principals: string[] | null; last_at: Date | null }>(OTHER_USES, [arn]);
  return {
    count: Number(row?.count ?? 0),
    principals: row?.principals ?? [],
    lastAt: row?.last_at?.toISOString() ?? null,
  };
};

const SETTINGS = `
  SELECT stream_id, type, data->>'keyArn' AS key_arn FROM events WHERE stream_id LIKE 'ebs-encryption-%'
  ORDER BY stream_id, version`;

export interface SettingsRow {
  stream_id: string;
  type: string;
  key_arn: string | null;
}

const STREAM = /^ebs-encryption-(\d{12})-(.+)$/;

/**
 * Where a key is the default key for EBS: where it was chosen, and AWS's own where nothing else was.
 * @param rows events of all accounts' settings, each stream's in its order.
 */
export const defaultsOf = (key: KeyDescription, rows: readonly SettingsRow[]): DefaultFact[] => {
  const chosen = new Map<string, string | null>();
  const encrypting = new Set<string>();
  if (key.keyManager === 'AWS') chosen.set(`ebs-encryption-${key.accountId}-${key.region}`, null);
  for (const { stream_id: stream, type, key_arn: arn } of rows) {
    if (type === 'DefaultKmsKeyChanged') chosen.set(stream, arn);
    if (type === 'DefaultKmsKeyReset') chosen.set(stream, null);
    if (type === 'EncryptionByDefaultEnabled') encrypting.add(stream);
    if (type === 'EncryptionByDefaultDisabled') encrypting.delete(stream);
  }
  return [...chosen].flatMap(([stream, arn]) => {
    const [, account = '', name = ''] = STREAM.exec(stream) ?? [];
    const isAwsDefault = arn === null && key.keyManager === 'AWS' && account === key.accountId && name === key.region;
    if (arn !== key.arn && !isAwsDefault) return [];
    return [{ accountId: account, region: name, encryptionByDefault: encrypting.has(stream) }];
  });
};

const TIMEOUT_MS = 20_000;

const contextOf = (account: string, name: string): RequestContext => ({
  requestId: randomUUID(),
  accountId: accountId(account),
  region: region(name),
  principal: {
    type: 'Root',
    arn: `arn:aws:iam::${account}:root`,
    accountId: accountId(account),
    principalId: account,
  },
  sourceIp: '127.0.0.1',
  userAgent: 'holdfast keys',
  deadlineMs: Date.now() + TIMEOUT_MS,
});

interface DescribedImages {
  Images?: { ImageId: string; Name?: string; OwnerId: string; BlockDeviceMappings?: { Ebs?: { SnapshotId?: string } }[] }[];
  NextToken?: string;
} // prettier-ignore

/** Images are asked for as each of the snapshots' owners, who alone can have made one of them. */
const readImages = async (bus: Requests, snapshots: readonly SnapshotFact[]): Promise<ImageFact[]> => {
  const affected = new Set(snapshots.map(({ snapshotId }) => snapshotId));
  const owners = new Map(snapshots.map(({ ownerId, region: name }) => [`${ownerId} ${name}`, { ownerId, name }]));
  const found: ImageFact[] = [];
  for (const { ownerId, name } of owners.values()) {
    let NextToken: string | undefined;
    do {
      const input = { Owners: [ownerId], IncludeDisabled: true, ...(NextToken === undefined ? {} : { NextToken }) };
      const page: DescribedImages = await bus.request('instances', 'DescribeImages', input, contextOf(ownerId, name));
      for (const { ImageId, Name = '', OwnerId, BlockDeviceMappings = [] } of page.Images ?? []) {
        const snapshotIds = BlockDeviceMappings.flatMap(({ Ebs }) => Ebs?.SnapshotId ?? []).filter((id) =>
          affected.has(id),
        );
        if (snapshotIds.length > 0) found.push({ imageId: ImageId, name: Name, ownerId: OwnerId, region: name, snapshotIds }); // prettier-ignore
      }
      ({ NextToken } = page);
    } while (NextToken !== undefined && NextToken !== '');
  }
  return found;
};

/** Asks every service what it has under the key, whatever the account. @throws UserError when the key has gone meanwhile. */
export const readKeyFacts = async (tables: StackTables, bus: Requests, found: FoundKey): Promise<KeyFacts> => {
  const [kms, volumesDb, snapshotsDb] = [tables.of('kms'), tables.of('volumes'), tables.of('snapshots')];
  const { arn, keyId, region: name } = found;
  const { key, replicas } = await readKey(kms, found);
  const snapshots = await snapshotsDb<SnapshotFact>(SNAPSHOTS, [arn]);
  const sources = [snapshots.map(({ snapshotId }) => snapshotId), arn];
  const underWay = [
    ...(await volumesDb<UnderWayFact>(VOLUMES_UNDER_WAY, sources)),
    ...(await snapshotsDb<UnderWayFact>(COPIES_UNDER_WAY, sources)),
  ];
  return {
    key,
    replicas,
    aliases: (await kms<{ alias_name: string }>(ALIASES, [keyId, name])).map(({ alias_name: alias }) => alias),
    grants: await kms<GrantFact>(GRANTS, [keyId, name]),
    volumes: await volumesDb<VolumeFact>(VOLUMES, [arn]),
    snapshots,
    underWay,
    images: await readImages(bus, snapshots),
    defaults: defaultsOf(key, await tables.of('account-settings')<SettingsRow>(SETTINGS)),
    otherUses: await readOtherUses(kms, arn),
  };
};
