import { instant } from '@holdfast/contracts';
import type { Sql } from '@holdfast/event-store';
import type { AccessKeyUse, AccessKeyUses } from '../../application/ports.ts';

/** How long a use waits to be written, in milliseconds. A crash loses no more than this. */
const WRITE_AFTER_MS = 2000;

const WRITE = `
  INSERT INTO access_key_uses (access_key_id, used_at, region, service)
  SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[])
  ON CONFLICT (access_key_id) DO UPDATE SET used_at = excluded.used_at, region = excluded.region, service = excluded.service
  WHERE access_key_uses.used_at <= excluded.used_at`;

/**
 * When access keys were last used. Gateways ask for a key's signing key at most once a second while it is used, and say for
 * which service: that is noted in memory and written in one statement with others'. It is no event: who used what is in the
 * log of what was done with it.
 */
export class StoredAccessKeyUses implements AccessKeyUses {
  private unwritten = new Map<string, AccessKeyUse>();
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly sql: Sql,
    private readonly onError: (error: unknown) => void,
  ) {}

  note(accessKeyId: string, use: AccessKeyUse): void {
    this.unwritten.set(accessKeyId, use);
    this.timer ??= setTimeout(() => void this.flush(), WRITE_AFTER_MS).unref();
  }

  async last(accessKeyId: string): Promise<AccessKeyUse | null> {
    const noted = this.unwritten.get(accessKeyId);
    if (noted !== undefined) return noted;
    const [row] = await this.sql.query<{ used_at: Date; region: string; service: string }>(
      'SELECT used_at, region, service FROM access_key_uses WHERE access_key_id = $1',
      [accessKeyId],
    );
    return row === undefined ? null : { usedAt: instant(row.used_at), region: row.region, service: row.service };
  }

  /** Writes what is noted; never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.writing = this.writing.then(() => this.write());
    await this.writing;
  }

  private async write(): Promise<void> {
    const uses = [...this.unwritten];
    if (uses.length === 0) return;
    try {
      await this.sql.query(WRITE, [
        uses.map(([accessKeyId]) => accessKeyId),
        uses.map(([, { usedAt }]) => usedAt),
        uses.map(([, { region }]) => region),
        uses.map(([, { service }]) => service),
      ]);
      for (const [id, use] of uses) if (this.unwritten.get(id) === use) this.unwritten.delete(id);
    } catch (error) {
      this.onError(error); // The next use brings the next try.
    }
  }
}
