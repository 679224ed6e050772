import { describe, expect, it } from 'vitest';
import { ACCOUNT, OTHER, runningKms } from './testing/running-kms.ts';

const kms = runningKms();
const me = () => kms().caller(ACCOUNT);
const LIMIT = { code: 'LimitExceededException' };

describe('limits', () => {
  it('100,000 keys in an account and Region', async () => {
    await kms().sql.query(
      `INSERT INTO kms_keys (key_id, account_id, region, primary_region, key_manager, description, state, created_at, tags, position)
       SELECT 'k' || n, $1, 'eu-central-1', 'eu-central-1', 'CUSTOMER', '', 'Enabled', now(), '[]', n
       FROM generate_series(1, 99999) n`,
      [OTHER],
    );
    const other = kms().caller(OTHER);
    await other.newKey();
    await expect(other.call('CreateKey', {})).rejects.toMatchObject(LIMIT);
    const away = other.as({ region: 'eu-west-1' });
    const { id: KeyId } = await away.newKey({ MultiRegion: true });
    const replica = { KeyId, ReplicaRegion: 'eu-central-1' };
    await expect(away.call('ReplicateKey', replica)).rejects.toMatchObject(LIMIT);
    await me().newKey();
  });

  it('32,768 bytes a policy', async () => {
    const { id: KeyId } = await me().newKey();
    const policy = (length: number) => {
      const statement = { Effect: 'Allow', Principal: { AWS: ACCOUNT }, Action: 'kms:*', Resource: '*' };
      const text = JSON.stringify({ Version: '2012-10-17', Id: '', Statement: [statement] });
      return text.replace('"Id":""', `"Id":"${'x'.repeat(length - text.length)}"`);
    };
    await me().call('PutKeyPolicy', { KeyId, Policy: policy(32_768) });
    await expect(me().call('PutKeyPolicy', { KeyId, Policy: policy(32_769) })).rejects.toMatchObject(LIMIT);
  });

  it('50 aliases a key', async () => {
    const { id: TargetKeyId } = await me().newKey();
    for (let n = 0; n < 50; n++) await me().call('CreateAlias', { AliasName: `alias/n${String(n)}`, TargetKeyId });
    await expect(me().call('CreateAlias', { AliasName: 'alias/more', TargetKeyId })).rejects.toMatchObject(LIMIT);
    const { id: other } = await me().newKey();
    await me().call('CreateAlias', { AliasName: 'alias/elsewhere', TargetKeyId: other });
    const moved = { AliasName: 'alias/elsewhere', TargetKeyId };
    await expect(me().call('UpdateAlias', moved)).rejects.toMatchObject(LIMIT);
    await me().call('UpdateAlias', { AliasName: 'alias/n0', TargetKeyId });
  });

  it('50,000 grants a key, which cost its uses nothing', async () => {
    const { id: KeyId, arn } = await me().newKey();
    const user = (n: string) => `arn:aws:iam::${ACCOUNT}:user/u${n}`;
    await kms().sql.query(
      `INSERT INTO grants (grant_id, key_id, key_arn, region, issuing_account, name, terms_hash, grantee_principal, operations,
         lead_pair, created_at, position)
       SELECT 'g' || n, $1, $2, 'eu-central-1', $3, '', 'h', $4, '{Decrypt}', '', now(), n FROM generate_series(1, 49999) n`,
      [KeyId, arn, ACCOUNT, user('0')],
    );
    const grant = { KeyId, GranteePrincipal: user('1'), Operations: ['Decrypt'] };
    await me().call('CreateGrant', grant);
    await expect(me().call('CreateGrant', grant)).rejects.toMatchObject(LIMIT);
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
    const principal = kms().giveUser(user('1'), []);
    // Once: a busy machine may take longer the other times, and a search through all grants would always.
    const tookMs = async () => {
      const startedMs = performance.now();
      await me().as({ principal }).call('Decrypt', { CiphertextBlob });
      return performance.now() - startedMs;
    };
    await expect.poll(tookMs, { interval: 1 }).toBeLessThan(250);
    expect((await me().call('ListGrants', { KeyId, Limit: 100 })).Grants).toHaveLength(100);
  });
});
