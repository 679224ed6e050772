import type { ImageId, Instant, SnapshotId } from '@holdfast/contracts';
import { AMAZON_ACCOUNT_ID, column, type Filter, filterConditions, type SqlFilter, SqlParameters } from '@holdfast/ec2';
import type { Sql } from '@holdfast/event-store';
import type {
  DueImage,
  ImageQuery,
  ImageRow,
  ImageTable,
  ImageViewer,
  RecycledImage,
} from '../../application/image-ports.ts';
import { publicSince } from '../../domain/image-lifecycle.ts';

/** What each of the image's devices says. */
const device =
  (expression: string): SqlFilter =>
  (any) =>
    `EXISTS (SELECT 1 FROM jsonb_array_elements(i.devices) AS d WHERE ${any(expression)})`;

/** @see DescribeImages, "Filters". Products, kernels and platforms no image here has. */
const FILTERS: Readonly<Record<string, SqlFilter>> = {
  architecture: column(`(i.traits ->> 'architecture')`),
  'block-device-mapping.delete-on-termination': device(`(d ->> 'deleteOnTermination')`),
  'block-device-mapping.device-name': device(`(d ->> 'deviceName')`),
  'block-device-mapping.encrypted': device(`coalesce(d ->> 'encrypted', 'false')`),
  'block-device-mapping.snapshot-id': device(`(d ->> 'snapshotId')`),
  'block-device-mapping.volume-size': device(`(d ->> 'sizeGiB')`),
  'block-device-mapping.volume-type': device(`(d ->> 'volumeType')`),
  'creation-date': column('i.creation_date'),
  description: column('i.description'),
  'ena-support': column(`(i.traits ->> 'enaSupport')`),
  hypervisor: column(`'xen'`),
  'image-id': column('i.image_id'),
  'image-type': column(`'machine'`),
  'is-public': column('i.is_public::text'),
  'kernel-id': column('NULL::text'),
  'manifest-location': column(`(CASE WHEN i.owner_id = '${AMAZON_ACCOUNT_ID}' THEN 'amazon' ELSE i.owner_id END || '/' || i.name)`),
  name: column('i.name'),
  'owner-alias': column(`CASE WHEN i.owner_id = '${AMAZON_ACCOUNT_ID}' THEN 'amazon' END`),
  'owner-id': column('i.owner_id'),
  platform: column('NULL::text'),
  'product-code': column('NULL::text'),
  'product-code.type': column('NULL::text'),
  'ramdisk-id': column('NULL::text'),
  'root-device-name': column('i.root_device_name'),
  'root-device-type': column(`'ebs'`),
  'source-image-id': column('i.source_image_id'),
  'source-image-region': column('i.source_image_region'),
  'source-instance-id': column('i.source_instance_id'),
  'sriov-net-support': column(`(i.traits ->> 'sriovNetSupport')`),
  state: column('i.state'),
  'state-reason-code': column(`CASE WHEN i.state_message IS NOT NULL THEN split_part(i.state_message, ':', 1) END`),
  'state-reason-message': column('i.state_message'),
  'virtualization-type': column(`(i.traits ->> 'virtualizationType')`),
}; // prettier-ignore

/** @see DescribeTags, "Filters". `tag:<key>` looks at the tag itself, not at the resource's others. */
const TAG_FILTERS: Readonly<Record<string, SqlFilter>> = {
  key: column('tag.key'),
  'resource-id': column('i.image_id'),
  'resource-type': column(`'image'`),
  value: column('tag.value'),
};

const COLUMNS = `i.image_id AS "imageId", i.owner_id AS "ownerId", i.region, i.position, i.name, i.description, i.state,
  i.state_message AS "stateMessage", i.creation_date AS "creationDate", i.root_device_name AS "rootDeviceName", i.devices,
  i.traits, i.source_instance_id AS "sourceInstanceId", i.source_image_id AS "sourceImageId",
  i.source_image_region AS "sourceImageRegion", i.shared_with AS "sharedWith", i.is_public AS "isPublic",
  i.deprecates_at AS "deprecatesAt", i.protection, i.protected_until AS "protectedUntil"`;

/** The same as `deprecationTime`: whether it is over. */
const isDeprecated = (now: Instant, parameters: SqlParameters): string =>
  `(coalesce(i.deprecates_at <= ${parameters.add(now)}, false) OR (i.is_public AND i.owner_id <> '${AMAZON_ACCOUNT_ID}'
    AND i.creation_date <= ${parameters.add(publicSince(now))}))`;

/** What AWS adds to the tags of what is in the Recycle Bin. */
const IN_BIN = `'{"aws:recycle-bin:resource-in-bin": "true"}'::jsonb`;

/**
 * The images that a viewer may launch from, and their own, with `binToo` also of the Recycle Bin; `tags` is the expression of the
 * tags that they see.
 */
const view = ({ accountId, region }: ImageViewer, parameters: SqlParameters, binToo = false) => {
  const viewer = parameters.add(accountId);
  return {
    viewer,
    tags: `coalesce(i.tags -> ${viewer}::text, '{}')`,
    conditions: [
      `i.region = ${parameters.add(region)}`,
      `i.state <> 'deregistered'`,
      binToo ? `(i.state <> 'recycled' OR i.owner_id = ${viewer})` : `i.state <> 'recycled'`,
      `(i.owner_id = ${viewer} OR i.shared_with @> ARRAY[${viewer}::text] OR i.is_public)`,
    ],
  };
};

/** @see DescribeImages, "ExecutableUsers": `self` leaves out what is one's own or only public. */
const executable = (by: readonly string[], viewer: string, accountId: string, parameters: SqlParameters): string => {
  const alternatives = by.map((who) => {
    if (who === 'all') return 'i.is_public';
    if (who === 'self' || who === accountId) return `i.shared_with @> ARRAY[${viewer}::text]`;
    return `(i.owner_id = ${viewer} AND i.shared_with @> ARRAY[${parameters.add(who)}::text])`;
  });
  return `(${alternatives.join(' OR ')})`;
};

export class PostgresImageTable implements ImageTable {
  constructor(private readonly sql: Sql) {}

  async find(query: ImageQuery, viewer: ImageViewer): Promise<ImageRow[]> {
    const parameters = new SqlParameters();
    const { tags, conditions, viewer: account } = view(viewer, parameters);
    const { filters, imageIds, ownerIds, executableUsers, after, limit } = query;
    if (!query.includeDisabled) conditions.push(`i.state <> 'disabled'`);
    if (!query.includeDeprecated)
      conditions.push(`(i.owner_id = ${account} OR NOT ${isDeprecated(query.now, parameters)})`);
    conditions.push(...filterConditions(filters, FILTERS, `(${tags})`, parameters));
    if (imageIds.length > 0) conditions.push(`i.image_id = ANY(${parameters.add(imageIds)}::text[])`);
    if (ownerIds !== undefined) conditions.push(`i.owner_id = ANY(${parameters.add(ownerIds)}::text[])`);
    if (executableUsers !== undefined)
      conditions.push(executable(executableUsers, account, viewer.accountId, parameters));
    if (after !== undefined) conditions.push(`i.position > ${parameters.add(after)}::bigint`);
    return this.sql.query<ImageRow>(
      `SELECT ${COLUMNS}, ${tags} AS tags FROM images i WHERE ${conditions.join(' AND ')}
       ORDER BY i.position LIMIT ${parameters.add(limit)}`,
      parameters.values,
    );
  }

  async byId(imageId: string, { accountId, region }: ImageViewer): Promise<ImageRow | null> {
    const [row] = await this.sql.query<ImageRow>(
      `SELECT ${COLUMNS}, coalesce(i.tags -> $2::text, '{}') AS tags FROM images i WHERE i.image_id = $1 AND i.region = $3`,
      [imageId, accountId, region],
    );
    return row ?? null;
  }

  async named(name: string, { accountId, region }: ImageViewer): Promise<ImageId | null> {
    const [row] = await this.sql.query<{ imageId: ImageId }>(
      `SELECT image_id AS "imageId" FROM images
       WHERE owner_id = $1 AND region = $2 AND name = $3 AND state NOT IN ('deregistered', 'recycled')`,
      [accountId, region, name],
    );
    return row?.imageId ?? null;
  }

  async ofSnapshot(snapshotId: SnapshotId, exceptDisabled = false): Promise<ImageId[]> {
    const others = ['deregistered', 'recycled', 'failed', ...(exceptDisabled ? ['disabled'] : [])];
    const rows = await this.sql.query<{ imageId: ImageId }>(
      `SELECT image_id AS "imageId" FROM images
       WHERE snapshot_ids @> ARRAY[$1::text] AND state <> ALL($2::text[]) ORDER BY position`,
      [snapshotId, others],
    );
    return rows.map(({ imageId }) => imageId);
  }

  recycled(
    { imageIds, now, after, limit }: { imageIds: readonly string[]; now: Instant; after?: string; limit: number },
    { accountId, region }: ImageViewer,
  ): Promise<RecycledImage[]> {
    return this.sql.query<RecycledImage>(
      `SELECT image_id AS "imageId", position::text AS position, name, description, recycled_at AS "recycledAt",
         exits_at AS "exitsAt" FROM images
       WHERE owner_id = $1 AND region = $2 AND state = 'recycled' AND exits_at > $3
         AND ($4::text[] = '{}' OR image_id = ANY($4)) AND ($5::bigint IS NULL OR position > $5)
       ORDER BY images.position LIMIT $6`,
      [accountId, region, now, imageIds, after ?? null, limit],
    );
  }

  dueToLeaveBin(now: Instant, limit: number): Promise<DueImage[]> {
    return this.sql.query<DueImage>(
      `SELECT image_id AS "imageId", owner_id AS "ownerId", region FROM images
       WHERE exits_at <= $1 ORDER BY exits_at LIMIT $2`,
      [now, limit],
    );
  }

  /** The owner sees the tags of what is in the Recycle Bin, too. */
  async tags(filters: readonly Filter[] | undefined, viewer: ImageViewer) {
    const parameters = new SqlParameters();
    const { tags: own, conditions } = view(viewer, parameters, true);
    const tags = `(CASE WHEN i.state = 'recycled' THEN ${own} || ${IN_BIN} ELSE ${own} END)`;
    const tag = 'jsonb_build_object(tag.key, tag.value)';
    conditions.push(...filterConditions(filters, TAG_FILTERS, tag, parameters));
    return this.sql.query<{ imageId: string; key: string; value: string }>(
      `SELECT i.image_id AS "imageId", tag.key, tag.value FROM images i CROSS JOIN LATERAL jsonb_each_text(${tags}) AS tag
       WHERE ${conditions.join(' AND ')} ORDER BY i.position, tag.key`,
      parameters.values,
    );
  }
}
