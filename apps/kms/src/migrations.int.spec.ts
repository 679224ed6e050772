import { createTestDatabase } from '@holdfast/embedded/testing';
import { eventStoreMigrations, openDatabase } from '@holdfast/event-store/postgres';
import pg from 'pg';
import { expect, inject, it } from 'vitest';
import { KeysTable } from './adapters/outbound/keys.table.ts';
import { kmsMigrations } from './adapters/outbound/kms.migrations.ts';

it('keys of the first release stay what they were', async () => {
  const test = await createTestDatabase(inject('postgresAdminUrl'));
  const options = { url: test.serviceUrl, migrationUrl: test.ownerUrl, applicationName: 'kms' };
  const [first] = kmsMigrations;
  const before = await openDatabase({ ...options, migrations: [...eventStoreMigrations, first!] });
  await before.query(
    `INSERT INTO kms_keys (key_id, account_id, region, key_manager, description, state, created_at, material_id, tags, position)
     VALUES ('k', '111122223333', 'eu-central-1', 'CUSTOMER', 'old', 'Enabled', now(), 'm', '[]', 7)`,
  );
  await before.close();
  const after = await openDatabase({ ...options, migrations: [...eventStoreMigrations, ...kmsMigrations] });
  const keys = new KeysTable(after);
  const key = await keys.find('k', 'eu-central-1' as never);
  expect(key).toMatchObject({
    keySpec: 'SYMMETRIC_DEFAULT',
    keyUsage: 'ENCRYPT_DECRYPT',
    origin: 'AWS_KMS',
    primaryRegion: 'eu-central-1',
    multiRegion: false,
    policy: null,
    rotation: null,
  });
  const [version] = await keys.versionsOf(key!, 0, 10, false);
  expect(version).toMatchObject({ materialId: 'm', position: 7, rotatedAt: null });
  await after.close();
  const owner = new pg.Client({ connectionString: test.ownerUrl });
  owner.on('error', () => undefined);
  await owner.connect();
  const second = new kmsMigrations[1]!();
  await second.down({ query: (text: string) => owner.query(text) } as never);
  expect((await owner.query('SELECT material_id FROM kms_keys')).rows).toEqual([{ material_id: 'm' }]);
  await owner.end();
  await test.drop();
});
