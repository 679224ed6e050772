import { describe, expect, it } from 'vitest';
import { ACCOUNT, EC2, OTHER, refusal, runningKms } from './testing/running-kms.ts';

const kms = runningKms();
const me = () => kms().caller(ACCOUNT);

describe('grants', () => {
  const GranteePrincipal = `arn:aws:iam::${OTHER}:root`;
  const them = () => kms().caller(OTHER);

  it('let another account do what they list, under their constraints, until they end', async () => {
    const { id: KeyId, arn } = await me().newKey();
    const pairs = { 'aws:ebs:id': 'vol-1' };
    const terms = { KeyId, GranteePrincipal, Operations: ['Decrypt', 'DescribeKey'] };
    const Constraints = { EncryptionContextSubset: pairs };
    const context = { ...pairs, more: 'm' };
    const { CiphertextBlob } = await me().call('Encrypt', {
      KeyId,
      Plaintext: Buffer.from('x'),
      EncryptionContext: context,
    });
    const decrypt = () => them().call('Decrypt', { KeyId: arn, CiphertextBlob, EncryptionContext: context });
    await expect(decrypt()).rejects.toMatchObject({ code: 'AccessDeniedException' });
    const { GrantId, GrantToken } = await me().call('CreateGrant', { ...terms, Constraints });
    expect(GrantId).toMatch(/^[0-9a-f]{64}$/);
    expect((await decrypt()).Plaintext.toString()).toBe('x');
    expect((await kms().usesOf(KeyId)).at(-1)!.data).toMatchObject({
      grantId: GrantId,
      principalArn: GranteePrincipal,
    });
    await them().call('DescribeKey', { KeyId: arn, GrantTokens: [GrantToken] });
    await expect(
      them().call('Encrypt', { KeyId: arn, Plaintext: Buffer.from('x'), EncryptionContext: context }),
    ).rejects.toEqual(
      refusal(
        'AccessDeniedException',
        `User: ${GranteePrincipal} is not authorized to perform: kms:Encrypt on resource: ${arn} because no resource-based policy allows the kms:Encrypt action`,
      ),
    );
    await expect(
      them().call('Decrypt', { KeyId: arn, CiphertextBlob, EncryptionContext: { more: 'm' } }),
    ).rejects.toMatchObject({
      code: 'AccessDeniedException',
    });
    expect((await me().call('ListGrants', { KeyId })).Grants).toEqual([
      {
        KeyId: arn,
        GrantId,
        Name: '',
        CreationDate: expect.any(String),
        GranteePrincipal,
        IssuingAccount: `arn:aws:iam::${ACCOUNT}:root`,
        Operations: ['Decrypt', 'DescribeKey'],
        Constraints,
      },
    ]);
    await expect(me().call('RevokeGrant', { KeyId, GrantId, DryRun: true })).rejects.toMatchObject({
      code: 'DryRunOperationException',
    });
    expect((await decrypt()).Plaintext.toString()).toBe('x');
    await me().call('RevokeGrant', { KeyId, GrantId });
    await expect(decrypt()).rejects.toMatchObject({ code: 'AccessDeniedException' });
    for (const DryRun of [false, true])
      await expect(me().call('RevokeGrant', { KeyId, GrantId, DryRun })).rejects.toEqual(
        refusal('NotFoundException', `Grant ID ${GrantId} not found`),
      );
  });

  it('with a name are made once, with a new token each time', async () => {
    const { id: KeyId } = await me().newKey();
    const terms = { KeyId, GranteePrincipal, Operations: ['Encrypt', 'Decrypt'], Name: 'once' };
    const made = await Promise.all(Array.from({ length: 8 }, () => me().call('CreateGrant', terms)));
    expect(new Set(made.map(({ GrantId }) => GrantId)).size).toBe(1);
    expect(new Set(made.map(({ GrantToken }) => GrantToken)).size).toBe(8);
    const again = await me().call('CreateGrant', { ...terms, Operations: ['Decrypt', 'Encrypt'] });
    expect(again.GrantId).toBe(made[0].GrantId);
    const other = await me().call('CreateGrant', { ...terms, Operations: ['Decrypt'] });
    expect(other.GrantId).not.toBe(made[0].GrantId);
    await them()
      .call('RetireGrant', { GrantToken: made[3].GrantToken })
      .then(
        () => expect.unreachable('the grantee may not retire this grant'),
        (error: unknown) => expect(error).toMatchObject({ code: 'AccessDeniedException' }),
      );
    await me().call('RetireGrant', { GrantToken: made[3].GrantToken });
    const anew = await me().call('CreateGrant', terms);
    expect(anew.GrantId).not.toBe(made[0].GrantId);
  });

  it('are retired by whoever they name, the account that issued them, or a grantee who may', async () => {
    const { id: KeyId, arn } = await me().newKey();
    const grant = async (extra: object) => {
      const { GrantId } = await me().call('CreateGrant', {
        KeyId,
        GranteePrincipal,
        Operations: ['Decrypt'],
        ...extra,
      });
      return { KeyId: arn, GrantId };
    };
    await them().call('RetireGrant', await grant({ RetiringPrincipal: GranteePrincipal }));
    await them().call('RetireGrant', await grant({ Operations: ['Decrypt', 'RetireGrant'] }));
    await me().call('RetireGrant', await grant({}));
    const kept = await grant({});
    await expect(them().call('RetireGrant', kept)).rejects.toMatchObject({ code: 'AccessDeniedException' });
    await expect(me().call('RetireGrant', { GrantToken: 'x' })).rejects.toMatchObject({
      code: 'InvalidGrantTokenException',
    });
    const { GrantToken } = await me().call('CreateGrant', { KeyId, GranteePrincipal, Operations: ['Decrypt'] });
    for (const input of [{ GrantId: kept.GrantId }, { GrantToken, GrantId: kept.GrantId }, { ...kept, GrantToken }])
      await expect(me().call('RetireGrant', input)).rejects.toEqual(
        refusal('ValidationException', 'Please specify either a grant token, or a key ARN and a grant ID.'),
      );
    await expect(me().call('RetireGrant', { ...kept, KeyId })).rejects.toMatchObject({ code: 'InvalidArnException' });
    await me().call('RetireGrant', { GrantToken });
    await expect(me().call('RetireGrant', { ...kept, DryRun: true })).rejects.toMatchObject({
      code: 'DryRunOperationException',
    });
    expect((await me().call('ListGrants', { KeyId })).Grants).toHaveLength(1);
    const retirable = await grant({ RetiringPrincipal: GranteePrincipal });
    const { Grants } = await them().call('ListRetirableGrants', { RetiringPrincipal: GranteePrincipal });
    expect(Grants.map(({ GrantId }: { GrantId: string }) => GrantId)).toEqual([retirable.GrantId]);
    await expect(me().call('ListRetirableGrants', { RetiringPrincipal: GranteePrincipal })).rejects.toMatchObject({
      code: 'AccessDeniedException',
      message: expect.stringMatching(/on resource: \* because no resource-based policy allows the kms:ListRetirableGrants action$/),
    }); // prettier-ignore
    await expect(me().call('ListRetirableGrants', { RetiringPrincipal: 'nobody' })).rejects.toMatchObject({
      code: 'InvalidArnException',
    });
  });

  it('pass on no more than they give', async () => {
    const { id: KeyId, arn } = await me().newKey();
    const context = { 'aws:ebs:id': 'vol-1' };
    await me().call('CreateGrant', {
      KeyId,
      GranteePrincipal,
      Operations: ['Decrypt', 'CreateGrant'],
      Constraints: { EncryptionContextSubset: context },
    });
    const third = { KeyId: arn, GranteePrincipal: 'arn:aws:iam::999999999999:root' };
    const child = (Operations: string[], Constraints?: object) =>
      them().call('CreateGrant', { ...third, Operations, Constraints });
    await child(['Decrypt'], { EncryptionContextSubset: { ...context, more: 'm' } });
    await child(['Decrypt'], { EncryptionContextEquals: context });
    const refused: [string[], object?][] = [
      [['Encrypt'], { EncryptionContextSubset: context }],
      [['Decrypt']],
      [['Decrypt'], { EncryptionContextSubset: { more: 'm' } }],
    ];
    for (const [operations, constraints] of refused) {
      await expect(child(operations, constraints)).rejects.toMatchObject({ code: 'AccessDeniedException' });
    }
  });

  it.each([
    [{ GranteePrincipal: 'bob' }, 'InvalidArnException'],
    [{ GranteePrincipal: 'arn:aws:iam::111122223333:group/g' }, 'InvalidArnException'],
    [{ GranteePrincipal: EC2 }, 'InvalidArnException'],
    [{ RetiringPrincipal: 'nobody' }, 'InvalidArnException'],
    [{ Operations: ['Sign'] }, 'ValidationException'],
    [{ Operations: ['Nonsense'] }, 'ValidationException'],
    [{ Operations: [] }, 'ValidationException'],
    [{ Constraints: { SourceArn: 'arn:aws:s3:::b' } }, 'UnsupportedOperationException'],
    [{ Constraints: { EncryptionContextSubset: Object.fromEntries(Array.from({ length: 9 }, (_, n) => [String(n), '']))} }, 'ValidationException'], // prettier-ignore
    [{ Constraints: { EncryptionContextEquals: { k: 'v'.repeat(385) } } }, 'ValidationException'],
    [{ KeyId: 'alias/x' }, 'NotFoundException'],
    [{ DryRun: true }, 'DryRunOperationException'],
  ])('are not made from %j', async (wrong, code) => {
    const { id: KeyId } = await me().newKey();
    const terms = { KeyId, GranteePrincipal, Operations: ['Decrypt'], ...wrong };
    await expect(me().call('CreateGrant', terms)).rejects.toMatchObject({ code });
    expect((await me().call('ListGrants', { KeyId })).Grants).toEqual([]);
  });

  it('are not constrained on keys without encryption contexts', async () => {
    const { id: KeyId } = await me().newKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    const terms = { KeyId, GranteePrincipal, Operations: ['GenerateMac'] };
    const Constraints = { EncryptionContextSubset: { k: 'v' } };
    await expect(me().call('CreateGrant', { ...terms, Constraints })).rejects.toMatchObject({
      code: 'ValidationException',
    });
    expect((await me().call('ListGrants', { KeyId })).Grants).toEqual([]);
    await me().call('CreateGrant', { ...terms, Constraints: { EncryptionContextSubset: {} } });
  });

  it('stay quick to find among thousands on one key', async () => {
    const { id: KeyId, arn } = await me().newKey();
    await kms().sql.query(
      `INSERT INTO grants SELECT md5($1 || n) || md5(n || $1), $1, $2, 'eu-central-1', $3, '', '', $4, NULL, '{Decrypt}',
         jsonb_build_object('EncryptionContextSubset', jsonb_build_object('aws:ebs:id', 'vol-' || n)),
         encode(sha256(convert_to('["aws:ebs:id","vol-' || n || '"]', 'UTF8')), 'hex'), now(), -n
       FROM generate_series(1, 20000) AS s (n)`,
      [KeyId, arn, ACCOUNT, GranteePrincipal],
    );
    await kms().sql.query('ANALYZE grants');
    const EncryptionContext = { 'aws:ebs:id': 'vol-19999' };
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext: Buffer.from('x'), EncryptionContext });
    const decrypt = () => them().call('Decrypt', { KeyId: arn, CiphertextBlob, EncryptionContext });
    // Once: a busy machine may take longer the other times, and a search through all grants would always.
    const tookMs = async () => {
      const startMs = performance.now();
      await decrypt();
      return performance.now() - startMs;
    };
    await expect.poll(tookMs, { interval: 1 }).toBeLessThan(50);
    await kms().sql.query('DELETE FROM grants WHERE key_id = $1', [KeyId]);
  });
});
