import { describe, expect, it } from 'vitest';
import { ACCOUNT, OTHER, refusal, runningKms } from './testing/running-kms.ts';

const kms = runningKms();
const me = () => kms().caller(ACCOUNT);

describe('keys', () => {
  it('are created with AWS metadata and described by id and ARN', async () => {
    const { KeyMetadata } = await me().call('CreateKey', {
      Description: 'mine',
      Tags: [{ TagKey: 'a', TagValue: 'b' }],
    });
    expect(KeyMetadata).toEqual({
      AWSAccountId: ACCOUNT,
      KeyId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      Arn: `arn:aws:kms:eu-central-1:${ACCOUNT}:key/${KeyMetadata.KeyId}`,
      CreationDate: expect.stringMatching(/^\d{4}-.*Z$/),
      Enabled: true,
      Description: 'mine',
      KeyUsage: 'ENCRYPT_DECRYPT',
      KeyState: 'Enabled',
      Origin: 'AWS_KMS',
      KeyManager: 'CUSTOMER',
      CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
      KeySpec: 'SYMMETRIC_DEFAULT',
      EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
      MultiRegion: false,
      CurrentKeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    for (const KeyId of [KeyMetadata.KeyId, KeyMetadata.Arn]) {
      expect((await me().call('DescribeKey', { KeyId })).KeyMetadata).toEqual(KeyMetadata);
    }
  });

  const absent = '1234abcd-12ab-34cd-56ef-1234567890ab';
  const arnOf = (region: string, id: string) => `arn:aws:kms:${region}:${ACCOUNT}:key/${id}`;
  it.each([
    [absent, `Key '${arnOf('eu-central-1', absent)}' does not exist`],
    [`mrk-${'0'.repeat(32)}`, `Key '${arnOf('eu-central-1', `mrk-${'0'.repeat(32)}`)}' does not exist`],
    ['fake', "Invalid keyId 'fake'"],
    ['1234abcd12ab34cd56ef1234567890ab', "Invalid keyId '1234abcd12ab34cd56ef1234567890ab'"],
    ['mrk-foo', "Invalid keyId 'mrk-foo'"],
    [arnOf('us-east-1', absent), 'Invalid arn us-east-1'],
    ['alias/none', `Alias arn:aws:kms:eu-central-1:${ACCOUNT}:alias/none is not found.`],
  ])('%s is not found, in the words of AWS', async (KeyId, message) => {
    await expect(me().call('DescribeKey', { KeyId })).rejects.toEqual(refusal('NotFoundException', message));
  });

  it('of another account do not exist, or must not be used', async () => {
    const theirs = await kms().caller(OTHER).newKey();
    const user = `User: arn:aws:iam::${ACCOUNT}:root is not authorized to perform: kms:`;
    await expect(me().call('DescribeKey', { KeyId: theirs.arn })).rejects.toEqual(
      refusal(
        'AccessDeniedException',
        `${user}DescribeKey on resource: ${theirs.arn} because no resource-based policy allows the kms:DescribeKey action`,
      ),
    );
    for (const action of ['DisableKey', 'ListAliases', 'ListGrants', 'GetKeyPolicy', 'ScheduleKeyDeletion']) {
      await expect(me().call(action, { KeyId: theirs.arn })).rejects.toMatchObject({ code: 'AccessDeniedException' });
    }
    const missing = theirs.arn.replace(theirs.id, absent);
    await expect(me().call('DescribeKey', { KeyId: missing })).rejects.toMatchObject({
      code: 'AccessDeniedException',
      message: expect.stringContaining(`kms:DescribeKey on resource: ${missing} because the resource does not exist`),
    });
    await expect(me().call('DescribeKey', { KeyId: theirs.id })).rejects.toMatchObject({ code: 'NotFoundException' });
    expect((await me().call('ListKeys')).Keys.map((key: { KeyId: string }) => key.KeyId)).not.toContain(theirs.id);
  });

  it('of another Region do not exist', async () => {
    const { id } = await me().newKey();
    const elsewhere = me().as({ region: 'us-west-2' });
    await expect(elsewhere.call('DescribeKey', { KeyId: id })).rejects.toMatchObject({ code: 'NotFoundException' });
  });

  it.each([
    [{ Policy: '{}' }, 'MalformedPolicyDocumentException'],
    [{ Policy: 'no JSON' }, 'MalformedPolicyDocumentException'],
    [{ KeySpec: 'SM2', KeyUsage: 'SIGN_VERIFY' }, 'UnsupportedOperationException'],
    [{ KeySpec: 'ML_KEM_512', KeyUsage: 'ENCAPSULATE_DECAPSULATE' }, 'UnsupportedOperationException'],
    [{ KeySpec: 'ML_DSA_44', KeyUsage: 'ENCAPSULATE_DECAPSULATE' }, 'ValidationException'],
    [{ KeySpec: 'ML_DSA_44', KeyUsage: 'ENCRYPT_DECRYPT' }, 'ValidationException'],
    [{ KeySpec: 'ML_DSA_44' }, 'ValidationException'],
    [{ Origin: 'AWS_CLOUDHSM' }, 'UnsupportedOperationException'],
    [{ CustomKeyStoreId: 'cks-1' }, 'UnsupportedOperationException'],
    [{ XksKeyId: 'x' }, 'UnsupportedOperationException'],
    [{ KeySpec: 'RSA_2048' }, 'ValidationException'],
    [{ KeyUsage: 'SIGN_VERIFY' }, 'ValidationException'],
    [{ KeySpec: 'NONSENSE' }, 'ValidationException'],
  ])('are not created from %j', async (input, code) => {
    await expect(me().call('CreateKey', input)).rejects.toMatchObject({ code });
  });

  it('go through their states', async () => {
    const { id, arn } = await me().newKey();
    const state = async () => (await me().call('DescribeKey', { KeyId: id })).KeyMetadata;
    await me().call('DisableKey', { KeyId: id });
    expect(await state()).toMatchObject({ KeyState: 'Disabled', Enabled: false });
    await me().call('EnableKey', { KeyId: id });
    await expect(me().call('CancelKeyDeletion', { KeyId: id })).rejects.toEqual(
      refusal('KMSInvalidStateException', `${arn} is not pending deletion.`),
    );
    await expect(me().call('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 5 })).rejects.toEqual(
      refusal(
        'ValidationException',
        "1 validation error detected: Value '5' at 'pendingWindowInDays' failed to satisfy constraint: " +
          'Member must have value greater than or equal to 7',
      ),
    );
    const scheduled = await me().call('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 7 });
    expect(scheduled).toMatchObject({ KeyId: arn, KeyState: 'PendingDeletion', PendingWindowInDays: 7 });
    expect(await state()).toMatchObject({ KeyState: 'PendingDeletion', DeletionDate: scheduled.DeletionDate });
    for (const action of ['EnableKey', 'DisableKey', 'ScheduleKeyDeletion']) {
      await expect(me().call(action, { KeyId: id })).rejects.toEqual(
        refusal('KMSInvalidStateException', `${arn} is pending deletion.`),
      );
    }
    expect(await me().call('CancelKeyDeletion', { KeyId: id })).toEqual({ KeyId: arn });
    expect(await state()).toMatchObject({ KeyState: 'Disabled' });
  });

  it('are listed in pages, and only whole markers go on', async () => {
    const caller = kms().caller('777788889999');
    const made = await Promise.all(Array.from({ length: 5 }, () => caller.newKey()));
    const found: string[] = [];
    let Marker: string | undefined;
    do {
      const answer = await caller.call('ListKeys', { Limit: 2, Marker });
      expect(answer.Truncated).toBe(answer.NextMarker !== undefined);
      found.push(...answer.Keys.map((key: { KeyArn: string }) => key.KeyArn));
      Marker = answer.NextMarker;
    } while (Marker !== undefined);
    expect(found.sort()).toEqual(made.map(({ arn }) => arn).sort());
    const { NextMarker } = await caller.call('ListKeys', { Limit: 2 });
    await expect(caller.call('ListKeys', { Marker: `${NextMarker}x` })).rejects.toMatchObject({
      code: 'InvalidMarkerException',
    });
    await expect(me().call('ListKeys', { Marker: NextMarker })).rejects.toMatchObject({
      code: 'InvalidMarkerException',
    });
    await expect(caller.call('ListAliases', { Marker: NextMarker })).rejects.toMatchObject({
      code: 'InvalidMarkerException',
    });
  });

  it('carry tags under their rules', async () => {
    const tag = (TagKey: string, TagValue = 'v') => ({ TagKey, TagValue });
    const { id: KeyId } = await me().newKey({ Tags: [tag('one')] });
    await me().call('TagResource', { KeyId, Tags: [tag('two'), tag('one', 'new')] });
    expect((await me().call('ListResourceTags', { KeyId })).Tags).toEqual([tag('one', 'new'), tag('two')]);
    await me().call('UntagResource', { KeyId, TagKeys: ['one', 'absent'] });
    expect(await me().call('ListResourceTags', { KeyId })).toEqual({ Tags: [tag('two')], Truncated: false });
    const refused: [object[], string][] = [
      [[tag('x'), tag('x')], 'Duplicate tag keys'],
      [Array.from({ length: 51 }, (_, n) => tag(`k${String(n)}`)), 'Too many tags'],
      [[tag('AWS:x')], 'Tags beginning with aws: are reserved'],
    ];
    for (const [Tags, message] of refused) {
      await expect(me().call('TagResource', { KeyId, Tags })).rejects.toEqual(refusal('TagException', message));
      await expect(me().call('CreateKey', { Tags })).rejects.toEqual(refusal('TagException', message));
    }
    const tooLong = 'k'.repeat(129);
    await expect(me().call('TagResource', { KeyId, Tags: [tag(tooLong)] })).rejects.toEqual(
      refusal(
        'ValidationException',
        `1 validation error detected: Value '${tooLong}' at 'tags.1.member.tagKey' failed to satisfy constraint: ` +
          'Member must have length less than or equal to 128',
      ),
    );
  });

  it('have one policy, the default one', async () => {
    const { id: KeyId, arn } = await me().newKey();
    expect((await me().call('ListKeyPolicies', { KeyId })).PolicyNames).toEqual(['default']);
    const { Policy } = await me().call('GetKeyPolicy', { KeyId });
    expect(JSON.parse(Policy)).toEqual({
      Version: '2012-10-17',
      Id: 'key-default-1',
      Statement: [
        {
          Sid: 'Enable IAM User Permissions',
          Effect: 'Allow',
          Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` },
          Action: 'kms:*',
          Resource: '*',
        },
      ],
    });
    await expect(me().call('GetKeyPolicy', { KeyId, PolicyName: 'other' })).rejects.toEqual(
      refusal('NotFoundException', 'No such policy exists'),
    );
    expect(await me().call('GetKeyRotationStatus', { KeyId })).toEqual({ KeyId: arn, KeyRotationEnabled: false });
  });
});
