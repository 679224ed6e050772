import { assertNever } from '@holdfast/decider';
import type { DomainEvent, InlineProjection, Sql, StoredEvent } from '@holdfast/event-store';
import type { ImageEvent, ImageStarted } from '../domain/image.events.ts';

const insert = (event: ImageStarted, position: number, sql: Sql) => {
  const { architecture, virtualizationType, bootMode, tpmSupport, imdsSupport, sriovNetSupport, enaSupport } = event;
  const traits = { architecture, virtualizationType, bootMode, tpmSupport, imdsSupport, sriovNetSupport, enaSupport };
  const isPending = event.type === 'ImageCreationStarted' || event.type === 'ImageCopyStarted';
  const source = event.type === 'ImageCopyStarted' ? event.source : null;
  return sql.query(
    `INSERT INTO images (image_id, owner_id, region, position, name, description, state, creation_date, root_device_name,
       devices, snapshot_ids, traits, source_instance_id, source_image_id, source_image_region, is_public, tags)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
    [
      event.imageId,
      event.ownerId,
      event.region,
      position,
      event.name,
      event.description,
      isPending ? 'pending' : 'available',
      event.at,
      event.rootDeviceName,
      JSON.stringify(event.devices),
      event.devices.flatMap(({ snapshotId }) => (snapshotId === undefined ? [] : [snapshotId])),
      JSON.stringify(traits),
      event.type === 'ImageCreationStarted' ? event.instanceId : null,
      source?.imageId ?? null,
      source?.region ?? null,
      event.type === 'AmazonImageProvided',
      JSON.stringify({ [event.ownerId]: event.tags }),
    ],
  );
};

const set = (imageId: string, assignments: string, values: readonly unknown[], sql: Sql) =>
  sql.query(`UPDATE images SET ${assignments} WHERE image_id = $1`, [imageId, ...values]);

const project = ({ data: event, globalPosition }: StoredEvent<ImageEvent>, sql: Sql): Promise<unknown> => {
  const { imageId } = event;
  switch (event.type) {
    case 'ImageRegistered':
    case 'ImageCreationStarted':
    case 'ImageCopyStarted':
    case 'AmazonImageProvided':
      return insert(event, globalPosition, sql);
    case 'ImageCompleted':
      return set(imageId, `state = 'available'`, [], sql);
    case 'ImageFailed':
      return set(imageId, `state = 'failed', state_message = $2`, [event.message], sql);
    case 'ImageDeprecationSet':
      return set(imageId, 'deprecates_at = $2', [event.deprecateAt], sql);
    case 'ImageDeprecationCancelled':
      return set(imageId, 'deprecates_at = NULL', [], sql);
    case 'ImageDisabled':
      return set(imageId, `state = 'disabled', shared_with = '{}', is_public = false`, [], sql);
    case 'ImageEnabled':
      return set(imageId, `state = 'available'`, [], sql);
    case 'ImageProtected': {
      const protection = event.withCooldown ? 'enabled-with-cooldown' : 'enabled-without-cooldown';
      return set(imageId, 'protection = $2, protected_until = NULL', [protection], sql);
    }
    case 'ImageUnprotected':
      return set(imageId, `protection = 'disabled', protected_until = $2`, [event.protectedUntil], sql);
    case 'ImageRecycled':
      return set(imageId, `state_before = state, state = 'recycled', recycled_at = $2, exits_at = $3`, [event.at, event.exitsAt], sql); // prettier-ignore
    case 'ImageRestoredFromBin':
      return set(imageId, 'state = state_before, recycled_at = NULL, exits_at = NULL', [], sql);
    case 'ImageDeregistered':
      return set(imageId, `state = 'deregistered', recycled_at = NULL, exits_at = NULL`, [], sql);
    case 'ImageDescriptionChanged':
      return set(imageId, 'description = $2', [event.description], sql);
    case 'ImageShared':
      return set(imageId, 'shared_with = shared_with || $2::text[], is_public = is_public OR $3', [event.accounts, event.public], sql); // prettier-ignore
    case 'ImageUnshared':
      return set(
        imageId,
        `shared_with = ARRAY(SELECT account FROM unnest(shared_with) AS account WHERE account <> ALL($2::text[])),
         is_public = is_public AND NOT $3`,
        [event.accounts, event.public],
        sql,
      );
    case 'ImageTagged':
      return set(
        imageId,
        `tags = jsonb_set(tags, ARRAY[$2::text], coalesce(tags -> $2::text, '{}') || $3::jsonb)`,
        [event.accountId, JSON.stringify(event.tags)],
        sql,
      );
    case 'ImageUntagged':
      return set(
        imageId,
        `tags = jsonb_set(tags, ARRAY[$2::text], coalesce(tags -> $2::text, '{}') - $3::text[])`,
        [event.accountId, event.keys],
        sql,
      );
    default:
      return assertNever(event);
  }
};

/** What DescribeImages reads, and launches ask. Events of the service's other streams are not its own. */
export const imagesProjection: InlineProjection = {
  name: 'images',
  project: async (event: StoredEvent<DomainEvent>, sql: Sql) => {
    if (event.streamId.startsWith('image-')) await project(event as StoredEvent<ImageEvent>, sql);
  },
};
