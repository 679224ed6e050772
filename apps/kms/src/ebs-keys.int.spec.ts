import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Caller, hostOf, serviceOf } from './testing/caller.ts';
import { ACCOUNT, EC2, OTHER, runningKms } from './testing/running-kms.ts';

const kms = runningKms();
const me = () => kms().caller(ACCOUNT);

describe('EBS', () => {
  const viaEc2 = (caller: Caller) => caller.as({ viaService: EC2 });

  it('has a key of its own per account and Region, made once, on first need', async () => {
    const caller = kms().caller('123412341234');
    const { Aliases } = await caller.call('ListAliases');
    expect(Aliases).toEqual([
      { AliasName: 'alias/aws/ebs', AliasArn: 'arn:aws:kms:eu-central-1:123412341234:alias/aws/ebs' },
    ]);
    expect((await caller.call('ListKeys')).Keys).toEqual([]);
    const answers = await Promise.all(
      Array.from({ length: 12 }, () =>
        viaEc2(caller).call('GenerateDataKeyWithoutPlaintext', { KeyId: 'alias/aws/ebs', NumberOfBytes: 64 }),
      ),
    );
    expect(new Set(answers.map(({ KeyId }) => KeyId)).size).toBe(1);
    const { Keys } = await caller.call('ListKeys');
    expect(Keys).toHaveLength(1);
    const listed = await caller.call('ListAliases');
    expect(listed.Aliases[0]).toMatchObject({ AliasName: 'alias/aws/ebs', TargetKeyId: Keys[0].KeyId });
    const { rows } = await kms().sql.query('SELECT count(*)::int AS n FROM key_material WHERE key_id = $1', [
      Keys[0].KeyId,
    ]);
    expect(rows).toEqual([{ n: 1 }]);
    const elsewhere = await caller.as({ region: 'us-east-1' }).call('DescribeKey', { KeyId: 'alias/aws/ebs' });
    expect(elsewhere.KeyMetadata).toMatchObject({
      KeyManager: 'AWS',
      Description: 'Default key that protects my EBS volumes when no other key is defined',
      Arn: expect.stringContaining('arn:aws:kms:us-east-1:123412341234:key/'),
    });
  });

  it('gets its key finished when a process died half-way', async () => {
    const caller = kms().caller('123412341235');
    const keyId = randomUUID();
    const at = new Date().toISOString();
    const event = { type: 'AliasCreated', aliasName: 'alias/aws/ebs', accountId: '123412341235', region: 'eu-central-1', targetKeyId: keyId, at }; // prettier-ignore
    await kms().sql.query(
      `INSERT INTO events (stream_id, version, event_id, type, schema_version, data, metadata, time)
       VALUES ('alias-123412341235-eu-central-1-alias/aws/ebs', 1, gen_random_uuid(), 'AliasCreated', 1, $1, '{}', now())`,
      [JSON.stringify(event)],
    );
    await kms().sql.query(
      `INSERT INTO aliases VALUES ('123412341235', 'eu-central-1', 'alias/aws/ebs', $1, now(), now())`,
      [keyId],
    );
    expect((await caller.call('ListAliases')).Aliases[0]).not.toHaveProperty('TargetKeyId');
    const { KeyMetadata } = await caller.call('DescribeKey', { KeyId: 'alias/aws/ebs' });
    expect(KeyMetadata.KeyId).toBe(keyId);
  });

  it('uses its key for everyone in the account, who else may only look at it', async () => {
    const { KeyMetadata } = await me()
      .call('DescribeKey', { KeyId: 'alias/aws/ebs' })
      .then(
        (answer) => answer,
        () => viaEc2(me()).call('DescribeKey', { KeyId: 'alias/aws/ebs' }),
      );
    const KeyId = KeyMetadata.Arn;
    const user = { type: 'User', arn: `arn:aws:iam::${ACCOUNT}:user/bob`, accountId: ACCOUNT, principalId: 'AIDAB' };
    const bob = me().as({ principal: user as never });
    await viaEc2(bob).call('GenerateDataKeyWithoutPlaintext', { KeyId, NumberOfBytes: 64 });
    await expect(bob.call('GenerateDataKeyWithoutPlaintext', { KeyId, NumberOfBytes: 64 })).rejects.toMatchObject({
      code: 'AccessDeniedException',
    });
    await expect(me().call('Encrypt', { KeyId, Plaintext: Buffer.from('x') })).rejects.toMatchObject({
      code: 'AccessDeniedException',
    });
    for (const action of ['DisableKey', 'ScheduleKeyDeletion', 'EnableKey']) {
      await expect(me().call(action, { KeyId })).rejects.toMatchObject({ code: 'AccessDeniedException' });
    }
    const foreigner = viaEc2(kms().caller(OTHER));
    await expect(foreigner.call('GenerateDataKeyWithoutPlaintext', { KeyId, NumberOfBytes: 64 })).rejects.toMatchObject(
      {
        code: 'AccessDeniedException',
      },
    );
    expect(JSON.parse((await me().call('GetKeyPolicy', { KeyId })).Policy).Id).toBe('auto-ebs-2');
  });

  it('creates a volume, attaches it and detaches it under grants only', async () => {
    const { id: KeyId, arn } = await me().newKey();
    const EncryptionContext = { 'aws:ebs:id': 'vol-0123456789abcdef0' };
    const forUser = viaEc2(me());
    const { CiphertextBlob } = await forUser.call('GenerateDataKeyWithoutPlaintext', {
      KeyId,
      NumberOfBytes: 64,
      EncryptionContext,
    });
    const host = me().as({ principal: hostOf(ACCOUNT, 'i-0123456789abcdef0') });
    const ebs = me().as({ principal: serviceOf(ACCOUNT) });
    const decrypt = (caller: Caller) => caller.call('Decrypt', { KeyId: arn, CiphertextBlob, EncryptionContext });
    await expect(decrypt(host)).rejects.toMatchObject({ code: 'AccessDeniedException' });
    await expect(decrypt(ebs)).rejects.toMatchObject({ code: 'AccessDeniedException' });
    const grant = (GranteePrincipal: string) =>
      forUser.call('CreateGrant', {
        KeyId,
        GranteePrincipal,
        RetiringPrincipal: EC2,
        Operations: ['Decrypt'],
        Constraints: { EncryptionContextSubset: EncryptionContext },
      });
    const attached = await grant(hostOf(ACCOUNT, 'i-0123456789abcdef0').arn);
    expect((await decrypt(host)).Plaintext).toHaveLength(64);
    await expect(decrypt(me().as({ principal: hostOf(ACCOUNT, 'i-1') }))).rejects.toMatchObject({
      code: 'AccessDeniedException',
    });
    await grant(EC2);
    expect((await decrypt(ebs)).Plaintext).toHaveLength(64);
    await ebs.call('RetireGrant', { KeyId: arn, GrantId: attached.GrantId });
    await expect(decrypt(host)).rejects.toMatchObject({ code: 'AccessDeniedException' });
    await me().call('DisableKey', { KeyId });
    await expect(decrypt(ebs)).rejects.toMatchObject({ code: 'DisabledException', message: `${arn} is disabled.` });
  });
});
