import type { InlineProjection, StoredEvent } from '@holdfast/event-store';
import type { AliasEvent } from '../domain/alias.events.ts';

/** Aliases and the keys they name; table `aliases`. */
export const aliasTargets: InlineProjection = {
  name: 'alias-targets',
  project: async (stored, sql) => {
    const { data: event } = stored as StoredEvent<AliasEvent>;
    switch (event.type) {
      case 'AliasCreated':
        await sql.query(
          `INSERT INTO aliases (account_id, region, alias_name, target_key_id, created_at, updated_at)
           VALUES ($1, $2, $3, $4, $5, $5)`,
          [event.accountId, event.region, event.aliasName, event.targetKeyId, event.at],
        );
        return;
      case 'AliasUpdated':
        await sql.query(
          `UPDATE aliases SET target_key_id = $4, updated_at = $5
           WHERE account_id = $1 AND region = $2 AND alias_name = $3`,
          [event.accountId, event.region, event.aliasName, event.targetKeyId, event.at],
        );
        return;
      case 'AliasDeleted':
        await sql.query('DELETE FROM aliases WHERE account_id = $1 AND region = $2 AND alias_name = $3', [
          event.accountId,
          event.region,
          event.aliasName,
        ]);
    }
  },
};
