import type { Database } from '@holdfast/event-store/postgres';
import type { DecisionRecord } from '@holdfast/iam';
import type { Decisions } from '../../application/ports.ts';

/** The record is text: whatever characters a request had, it is kept as it came. */
const KEEP = `
  INSERT INTO decisions (decision_id, request_id, at, resources, record)
  SELECT id, request, at, ARRAY(SELECT json_array_elements_text(resources::json)), record
  FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[])
    AS decision (id, request, at, resources, record)
  ON CONFLICT (decision_id) DO NOTHING`;

const FORGET = `
  DELETE FROM decisions
  WHERE at < $1 OR position <= (SELECT max(position) FROM decisions) - $2::bigint`;

export class DecisionsTable implements Decisions {
  constructor(private readonly database: Database) {}

  async keep(records: readonly DecisionRecord[]): Promise<void> {
    await this.database.query(KEEP, [
      records.map(({ decisionId }) => decisionId),
      records.map(({ requestId }) => requestId),
      records.map(({ at }) => at),
      records.map(({ resources }) => JSON.stringify(resources)),
      records.map((record) => JSON.stringify(record)),
    ]);
  }

  async forget(before: string, most: number): Promise<void> {
    await this.database.query(FORGET, [before, most]);
  }
}
