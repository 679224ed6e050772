import type { InlineProjection, StoredEvent } from '@holdfast/event-store';
import { hashTerms, leadPair } from '../domain/grant-search.ts';
import type { GrantEvent } from '../domain/grant.events.ts';

/** Grants in force; table `grants`. Retired and revoked ones leave it. */
export const activeGrants: InlineProjection = {
  name: 'active-grants',
  project: async (stored, sql) => {
    const { data: event, globalPosition } = stored as StoredEvent<GrantEvent>;
    switch (event.type) {
      case 'GrantCreated': {
        const { constraints } = event;
        await sql.query(
          `INSERT INTO grants (grant_id, key_id, key_arn, region, issuing_account, name, terms_hash, grantee_principal,
             retiring_principal, operations, constraints, lead_pair, created_at, position, grantee_name, retiring_name)
           VALUES ($1, $2, $3, split_part($3, ':', 4), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
          [
            event.grantId,
            event.keyId,
            event.keyArn,
            event.issuingAccount,
            event.name,
            hashTerms(event),
            event.granteeId ?? event.granteePrincipal,
            event.retiringId ?? event.retiringPrincipal,
            event.operations,
            constraints === null ? null : JSON.stringify(constraints),
            leadPair(constraints),
            event.at,
            globalPosition,
            event.granteePrincipal,
            event.retiringPrincipal,
          ],
        );
        return;
      }
      case 'GrantRetired':
      case 'GrantRevoked':
        await sql.query('DELETE FROM grants WHERE grant_id = $1', [event.grantId]);
    }
  },
};
