import { assertNever } from '@holdfast/decider';
import type { DomainEvent, InlineProjection, Sql, StoredEvent } from '@holdfast/event-store';
import type { KeyPairEvent } from '../domain/key-pair.events.ts';

const project = async ({ data }: StoredEvent<KeyPairEvent>, sql: Sql): Promise<void> => {
  switch (data.type) {
    case 'KeyPairCreated':
    case 'KeyPairImported': {
      const { keyPairId, accountId, region, name, keyType, fingerprint, publicKey, tags, at } = data;
      await sql.query(
        `INSERT INTO key_pairs (key_pair_id, account_id, region, name, key_type, fingerprint, public_key, create_time, tags)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
        [keyPairId, accountId, region, name, keyType, fingerprint, publicKey, at, JSON.stringify(tags)],
      );
      return;
    }
    case 'KeyPairDeleted':
      await sql.query('DELETE FROM key_pairs WHERE key_pair_id = $1', [data.keyPairId]);
      return;
    case 'KeyPairTagged':
      await sql.query('UPDATE key_pairs SET tags = tags || $2::jsonb WHERE key_pair_id = $1', [
        data.keyPairId,
        JSON.stringify(data.tags),
      ]);
      return;
    case 'KeyPairUntagged':
      await sql.query('UPDATE key_pairs SET tags = tags - $2::text[] WHERE key_pair_id = $1', [
        data.keyPairId,
        data.keys,
      ]);
      return;
    default:
      return assertNever(data);
  }
};

/** What DescribeKeyPairs and launches read. */
export const keyPairsProjection: InlineProjection = {
  name: 'key-pairs',
  project: async (event: StoredEvent<DomainEvent>, sql) => {
    if (event.streamId.startsWith('key-')) await project(event as StoredEvent<KeyPairEvent>, sql);
  },
};
