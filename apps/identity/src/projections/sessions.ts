import type { InlineProjection } from '@holdfast/event-store';
import type { SessionIssued } from '../domain/session.decider.ts';

/** How long after its end a session is remembered: work begun by it may still go on in its name. */
const REMEMBERED = '7 days';
/** Ended sessions forgotten per new one: more than one, so that they never pile up. */
const FORGOTTEN_AT_ONCE = 20;

/** Temporary credentials that can be used, and what they may. */
export const sessionsProjection: InlineProjection = {
  name: 'sessions',
  project: async ({ data }, sql) => {
    if (data.type !== 'SessionIssued') return;
    const event = data as SessionIssued;
    const { accessKeyId, accountId, identityId, principal, secretsKeyId, sessionPolicies } = event;
    await sql.query(
      `INSERT INTO sessions (access_key_id, account_id, identity_id, principal, secrets_key_id, session_policies,
         transitive_tag_keys, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [
        ...[accessKeyId, accountId, identityId, JSON.stringify(principal), secretsKeyId],
        sessionPolicies === null ? null : JSON.stringify(sessionPolicies),
        ...[JSON.stringify(event.transitiveTagKeys), event.expiresAt],
      ],
    );
    await sql.query(
      `DELETE FROM sessions WHERE access_key_id IN (
         SELECT access_key_id FROM sessions WHERE expires_at < $1::timestamptz - interval '${REMEMBERED}'
         ORDER BY expires_at LIMIT ${String(FORGOTTEN_AT_ONCE)} FOR UPDATE SKIP LOCKED)`,
      [event.at],
    );
  },
};
