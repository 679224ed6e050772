import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { bindingInStore, FileProvider } from '@holdfast/root-keys';
import { resetServices, turnClocks } from '@holdfast/service-kit';
import { describe, expect, it } from 'vitest';
import { KEY_MATERIAL } from './adapters/outbound/root-keys.ts';
import { start } from './service.ts';
import { ACCOUNT, OTHER, runningKms } from './testing/running-kms.ts';

const kms = runningKms();
const me = () => kms().caller(ACCOUNT);

describe('time and storage', () => {
  it('a key is deleted when its time has come, and all that was under it is lost', async () => {
    const { id: KeyId, arn } = await me().newKey();
    const AliasName = `alias/${KeyId}`;
    await me().call('CreateAlias', { AliasName, TargetKeyId: KeyId });
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
    await me().call('ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 7 });
    await turnClocks(kms().stack.bus.connection, ['kms'], 7 * 86_400_000 + 1000);
    try {
      await expect
        .poll(() =>
          me()
            .call('DescribeKey', { KeyId })
            .then(
              () => '',
              (error: Error) => error.message,
            ),
        ) // prettier-ignore
        .toBe(`Key '${arn}' does not exist`);
    } finally {
      await turnClocks(kms().stack.bus.connection, ['kms'], 0);
    }
    await expect(me().call('Decrypt', { CiphertextBlob })).rejects.toMatchObject({ code: 'AccessDeniedException' });
    const { rows } = await kms().sql.query('SELECT FROM key_material WHERE key_id = $1', [KeyId]);
    expect(rows).toHaveLength(0);
    const other = await me().newKey();
    await me().call('CreateAlias', { AliasName, TargetKeyId: other.id });
  });

  it('no plaintext key is in any table, and the root key is in a file that is ours alone', async () => {
    const file = join(kms().folder, 'keys', 'root.key');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const provider = new FileProvider(file, 'kms');
    await provider.versions();
    const { id: KeyId } = await me().newKey();
    const dataKey = await me().call('GenerateDataKey', { KeyId, NumberOfBytes: 64 });
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext: Buffer.from('a secret message') });
    await me().call('ReEncrypt', { CiphertextBlob, DestinationKeyId: KeyId });
    const { rows } = await kms().sql.query<{ material_id: string; wrapped: Buffer }>(
      'SELECT material_id, wrapped FROM key_material WHERE key_id = $1',
      [KeyId],
    );
    const binding = bindingInStore(KEY_MATERIAL, [KeyId, rows[0]!.material_id]);
    const material = await provider.unwrap(rows[0]!.wrapped, binding);
    const secrets = [
      Buffer.from(await readFile(file, 'utf8'), 'base64'),
      material,
      dataKey.Plaintext,
      Buffer.from('a secret message'),
    ] as Buffer[];
    const tables = await kms().sql.query<{ tablename: string }>(
      `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`,
    );
    expect(tables.rows.map(({ tablename }) => tablename)).toEqual(expect.arrayContaining(['events', 'key_material']));
    for (const { tablename } of tables.rows) {
      const { rows: all } = await kms().sql.query<{ row: string }>(`SELECT t::text AS row FROM ${tablename} t`);
      const text = all.map(({ row }) => row).join('\n');
      for (const secret of secrets) {
        const half = secret.subarray(0, 15); // A multiple of three, so that base64 of a longer text would start alike.
        for (const form of [half.toString('base64'), half.toString('hex'), half.toString('latin1')]) {
          expect(text.includes(form), tablename).toBe(false);
        }
      }
    }
  });

  it('no result leaves when its use cannot be committed', async () => {
    const { id: KeyId } = await me().newKey();
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
    const role = new URL(kms().environment.databaseUrl ?? '').username;
    await kms().sql.query(`REVOKE INSERT ON events FROM ${role}`);
    try {
      for (const [action, input] of [
        ['Decrypt', { CiphertextBlob }],
        ['Encrypt', { KeyId, Plaintext: Buffer.from('x') }],
        ['ReEncrypt', { CiphertextBlob, DestinationKeyId: KeyId }],
        ['GenerateDataKey', { KeyId, KeySpec: 'AES_256' }],
        ['GenerateDataKeyWithoutPlaintext', { KeyId, KeySpec: 'AES_256' }],
      ] as const) {
        await expect(me().call(action, input), action).rejects.toMatchObject({ name: 'InternalError' });
      }
    } finally {
      await kms().sql.query(`GRANT INSERT ON events TO ${role}`);
    }
    expect(await kms().usesOf(KeyId)).toHaveLength(1);
    await me().call('Decrypt', { CiphertextBlob });
    expect(await kms().usesOf(KeyId)).toHaveLength(2);
  });

  it('goes on after a restart, and not with another root key', async () => {
    const { id: KeyId } = await me().newKey();
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext: Buffer.from('kept') });
    const { GrantToken } = await me().call('CreateGrant', {
      KeyId,
      GranteePrincipal: `arn:aws:iam::${OTHER}:root`,
      Operations: ['Decrypt'],
    });
    await kms().service.close();
    const moved = { ...kms().environment, settings: { rootKeyFile: join(kms().folder, 'other.key') } };
    await expect(start(moved)).rejects.toThrow(/other\.key is missing, and existing keys are wrapped by its root key/);
    const wrong = { ...kms().environment, settings: { rootKeySecret: randomBytes(32).toString('base64') } };
    await expect(start(wrong)).rejects.toThrow(/lacks root key/);
    kms().service = await start(kms().environment);
    expect((await me().call('Decrypt', { CiphertextBlob })).Plaintext.toString()).toBe('kept');
    await me().call('RetireGrant', { GrantToken });
  });

  it('forgets everything on a reset but the root key', async () => {
    const { id: KeyId } = await me().newKey();
    await resetServices(kms().stack.bus.connection, ['kms']);
    await expect(me().call('DescribeKey', { KeyId })).rejects.toMatchObject({ code: 'NotFoundException' });
    expect((await me().call('ListKeys')).Keys).toEqual([]);
    await me().newKey();
  });
});
