import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Keys of EBS rotate each year from their creation on; those that there were did not. */
const CHANGES = `
  UPDATE kms_keys SET rotation_period_days = 365, next_rotation_at = created_at + interval '365 days'
  WHERE key_manager = 'AWS' AND next_rotation_at IS NULL`;

export class RotateEbsKeys1700000200010 implements MigrationInterface {
  readonly name = 'RotateEbsKeys1700000200010';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(CHANGES);
  }

  /** The earlier release reads the two columns of its own keys alike, and decides from their history. */
  async down(): Promise<void> {
    await Promise.resolve();
  }
}
