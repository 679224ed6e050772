import type { Principal } from '@holdfast/contracts';
import { describe, expect, it } from 'vitest';
import type { Caller } from './testing/caller.ts';
import { ACCOUNT, EC2, OTHER, refusal, runningKms } from './testing/running-kms.ts';

const kms = runningKms();
const me = () => kms().caller(ACCOUNT);
const them = () => kms().caller(OTHER);
const as = (principal: Principal): Caller => kms().caller(principal.accountId).as({ principal });

let users = 0;
const arnOf = (account: string) => `arn:aws:iam::${account}:user/u${String(++users)}`;
const newUser = (account: string, ...policies: object[]) => kms().giveUser(arnOf(account), policies);

const policy = (...Statement: object[]) => ({ Version: '2012-10-17', Statement });
const text = (...statements: object[]) => JSON.stringify(policy(...statements));
const allow = (Action: string | string[], rest: object = {}) => ({ Effect: 'Allow', Action, Resource: '*', ...rest });
const deny = (Action: string | string[], rest: object = {}) => ({ Effect: 'Deny', Action, Resource: '*', ...rest });
const forArn = (AWS: string) => ({ Principal: { AWS } });
const ROOT = { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: 'kms:*', Resource: '*' };

const tryTo = (caller: Caller, action: string, input: object): Promise<string> =>
  caller.call(action, input).then(
    () => 'ok',
    (error: { code: string }) => error.code,
  );
const encrypt = (caller: Caller, KeyId: string, extra: object = {}) =>
  tryTo(caller, 'GenerateDataKeyWithoutPlaintext', { KeyId, KeySpec: 'AES_256', ...extra });
const DENIED = 'AccessDeniedException';

describe('who may use a key', () => {
  it('follows from its policy and the identities together', async () => {
    const { arn } = await me().newKey();
    const delegated = newUser(ACCOUNT, policy(allow('kms:GenerateDataKey*')));
    const poor = newUser(ACCOUNT);
    expect(await encrypt(as(delegated), arn)).toBe('ok');
    await expect(as(poor).call('DescribeKey', { KeyId: arn })).rejects.toEqual(
      refusal(
        DENIED,
        `User: ${poor.arn} is not authorized to perform: kms:DescribeKey on resource: ${arn} because no identity-based ` +
          'policy allows the kms:DescribeKey action',
      ),
    );
    const named = newUser(ACCOUNT);
    const Policy = text(allow('kms:*', forArn(named.arn)), allow('kms:PutKeyPolicy', forArn(ACCOUNT)));
    await me().call('PutKeyPolicy', { KeyId: arn, Policy });
    expect(await encrypt(as(named), arn)).toBe('ok');
    expect(await encrypt(as(delegated), arn)).toBe(DENIED);
    expect(await encrypt(me(), arn)).toBe(DENIED);
    expect((await as(named).call('GetKeyPolicy', { KeyId: arn })).Policy).toBe(Policy);
  });

  it('is never more than a deny leaves, also beside a grant', async () => {
    const user = newUser(ACCOUNT, policy(allow('kms:*'), deny('kms:GenerateDataKeyWithoutPlaintext')));
    const other = newUser(ACCOUNT);
    const { arn: KeyId } = await me().newKey();
    const Operations = ['GenerateDataKeyWithoutPlaintext'];
    for (const { arn } of [user, other]) await me().call('CreateGrant', { KeyId, GranteePrincipal: arn, Operations });
    expect(await encrypt(as(user), KeyId)).toBe(DENIED);
    expect(await encrypt(as(other), KeyId)).toBe('ok');
    await me().call('PutKeyPolicy', { KeyId, Policy: text(ROOT, deny('kms:GenerateDataKey*', forArn(other.arn))) });
    await expect(
      as(other).call('GenerateDataKeyWithoutPlaintext', { KeyId, KeySpec: 'AES_256' }),
    ).rejects.toMatchObject({
      code: DENIED,
      message: expect.stringContaining('with an explicit deny in a resource-based policy'),
    });
  });

  it('across accounts needs both', async () => {
    const { arn: KeyId, id } = await me().newKey({
      Policy: text(ROOT, allow(['kms:GenerateDataKey*', 'kms:DisableKey'], forArn(OTHER))),
    });
    const [allowed, poor] = [newUser(OTHER, policy(allow('kms:*', { Resource: KeyId }))), newUser(OTHER)];
    expect(await encrypt(as(allowed), KeyId)).toBe('ok');
    expect(await encrypt(as(poor), KeyId)).toBe(DENIED);
    expect(await encrypt(them(), KeyId)).toBe('ok');
    expect(await encrypt(them(), id)).toBe('NotFoundException');
    expect(await tryTo(them(), 'DisableKey', { KeyId })).toBe(DENIED);
    const grantee = newUser(OTHER, policy(allow('kms:Decrypt')));
    const grant = { KeyId, GranteePrincipal: grantee.arn, Operations: ['Decrypt'] };
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
    expect(await tryTo(as(grantee), 'Decrypt', { KeyId, CiphertextBlob })).toBe(DENIED);
    await me().call('CreateGrant', grant);
    expect(await tryTo(as(grantee), 'Decrypt', { KeyId, CiphertextBlob })).toBe('ok');
  });

  it('ends with the user', async () => {
    const { arn: KeyId } = await me().newKey();
    const user = newUser(ACCOUNT);
    await me().call('CreateGrant', { KeyId, GranteePrincipal: user.arn, Operations: ['DescribeKey'] });
    expect(await tryTo(as(user), 'DescribeKey', { KeyId })).toBe('ok');
    kms().identities.set(user.arn, null);
    await expect.poll(() => tryTo(as(user), 'DescribeKey', { KeyId })).toBe(DENIED);
  });

  it('is cut by boundaries and sessions', async () => {
    const sourced = (document: object) => ({
      sourceId: 'b',
      sourceType: 'none' as const,
      document: JSON.stringify(document),
    });
    const all = [policy(allow('kms:*'))];
    const bounded = kms().giveUser(arnOf(ACCOUNT), all, {
      permissionsBoundary: sourced(policy(allow('kms:Describe*'))),
    });
    const limited = kms().giveUser(arnOf(ACCOUNT), all, { sessionPolicies: [] });
    const { arn: KeyId } = await me().newKey();
    expect([await tryTo(as(bounded), 'DescribeKey', { KeyId }), await encrypt(as(bounded), KeyId)]).toEqual([
      'ok',
      DENIED,
    ]);
    expect(await tryTo(as(limited), 'DescribeKey', { KeyId })).toBe(DENIED);
  });

  it('is asked for aliases and keys both', async () => {
    const { id: TargetKeyId, arn } = await me().newKey();
    const both = newUser(ACCOUNT, policy(allow('kms:*Alias')));
    const keyOnly = newUser(ACCOUNT, policy(allow('kms:*Alias', { Resource: arn })));
    const AliasName = `alias/${TargetKeyId}`;
    expect(await tryTo(as(keyOnly), 'CreateAlias', { AliasName, TargetKeyId })).toBe(DENIED);
    expect(await tryTo(as(both), 'CreateAlias', { AliasName, TargetKeyId })).toBe('ok');
    expect(await tryTo(as(keyOnly), 'DeleteAlias', { AliasName })).toBe(DENIED);
    expect(await tryTo(as(both), 'DeleteAlias', { AliasName })).toBe('ok');
  });

  it.each(['CreateKey', 'ListKeys', 'ListAliases', 'GenerateRandom'])(
    '%s is a matter of identity policies',
    async (action) => {
      // prettier-ignore
      const input = action === 'GenerateRandom' ? { NumberOfBytes: 1 } : {};
      expect(await tryTo(as(newUser(ACCOUNT)), action, input)).toBe(DENIED);
      expect(await tryTo(as(newUser(ACCOUNT, policy(allow(`kms:${action}`)))), action, input)).toBe('ok');
    },
  );
});

describe('a key policy', () => {
  it('must not lock its author out, unless that is asked for', async () => {
    const { id: KeyId } = await me().newKey();
    const Policy = text(allow('kms:*', forArn(arnOf(ACCOUNT))));
    const lockout = refusal(
      'MalformedPolicyDocumentException',
      'The new key policy will not allow you to update the key policy in the future.',
    );
    await expect(me().call('PutKeyPolicy', { KeyId, Policy })).rejects.toEqual(lockout);
    await expect(me().call('CreateKey', { Policy })).rejects.toEqual(lockout);
    await me().call('CreateKey', { Policy, BypassPolicyLockoutSafetyCheck: true });
    await me().call('PutKeyPolicy', { KeyId, Policy, BypassPolicyLockoutSafetyCheck: true });
    expect(await tryTo(me(), 'PutKeyPolicy', { KeyId, Policy: text(ROOT) })).toBe(DENIED);
  });

  it.each([
    ['no JSON', 'MalformedPolicyDocumentException'],
    ['{}', 'MalformedPolicyDocumentException'],
    [JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Maybe' }] }), 'MalformedPolicyDocumentException'],
    ['\u2603', 'ValidationException'],
    [`${text(ROOT)}${' '.repeat(33_000)}`, 'LimitExceededException'],
  ])('is not %.40s', async (Policy, code) => {
    const { id: KeyId } = await me().newKey();
    expect(await tryTo(me(), 'PutKeyPolicy', { KeyId, Policy })).toBe(code);
    expect(await tryTo(me(), 'CreateKey', { Policy })).toBe(code);
  });
  it('has one name', async () => {
    const { id: KeyId } = await me().newKey();
    await expect(me().call('PutKeyPolicy', { KeyId, PolicyName: 'other', Policy: text(ROOT) })).rejects.toEqual(
      refusal('NotFoundException', 'No such policy exists'),
    );
  });
});

describe('condition keys', () => {
  /** Whether a caller whose policy has this condition may make the call; each is asked with and without what it wants. */
  const withCondition = async (
    Condition: object,
    use: (user: Caller, KeyId: string) => Promise<string>,
    made: object = {},
  ) => {
    // prettier-ignore
    const { arn } = await me().newKey(made);
    return use(as(newUser(ACCOUNT, policy(allow('kms:*', { Condition })))), arn);
  };
  const equals = (key: string, value: string | string[]) => ({ StringEquals: { [key]: value } });

  const ML_DSA = { KeySpec: 'ML_DSA_44', KeyUsage: 'SIGN_VERIFY' };
  const MU = Buffer.alloc(64).toString('base64');
  const rules: [condition: object, use: (user: Caller, KeyId: string) => Promise<string>, made: object][] = [
    [equals('kms:EncryptionContext:vol', '1'), (user, id) => encrypt(user, id, { EncryptionContext: { vol: '1' } }), {}],
    [{ 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['vol'] } }, (user, id) => encrypt(user, id, { EncryptionContext: { vol: '1' } }), {}],
    [equals('kms:ViaService', EC2), (user, id) => encrypt(user.as({ viaService: EC2 }), id), {}],
    [equals('kms:CallerAccount', ACCOUNT), encrypt, {}],
    [equals('kms:KeySpec', 'SYMMETRIC_DEFAULT'), encrypt, {}],
    [equals('kms:KeyUsage', 'ENCRYPT_DECRYPT'), encrypt, {}],
    [equals('kms:KeyOrigin', 'AWS_KMS'), encrypt, {}],
    [{ Bool: { 'kms:MultiRegion': 'true' } }, encrypt, { MultiRegion: true }],
    [equals('kms:MultiRegionKeyType', 'PRIMARY'), encrypt, { MultiRegion: true }],
    [equals('aws:ResourceTag/team', 'a'), encrypt, { Tags: [{ TagKey: 'team', TagValue: 'a' }] }],
    [equals('kms:EncryptionAlgorithm', 'SYMMETRIC_DEFAULT'), encrypt, {}],
    [equals('kms:DataKeyPairSpec', 'ECC_NIST_P256'), (user, KeyId) => tryTo(user, 'GenerateDataKeyPair', { KeyId, KeyPairSpec: 'ECC_NIST_P256' }), {}],
    [{ NumericLessThan: { 'kms:RotationPeriodInDays': '200' } }, (user, KeyId) => tryTo(user, 'EnableKeyRotation', { KeyId, RotationPeriodInDays: 100 }), {}],
    [{ NumericGreaterThan: { 'kms:ScheduleKeyDeletionPendingWindowInDays': '10' } }, (user, KeyId) => tryTo(user, 'ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 20 }), {}],
    [equals('kms:SigningAlgorithm', 'ECDSA_SHA_256'), (user, KeyId) => tryTo(user, 'Sign', { KeyId, Message: 'bQ==', SigningAlgorithm: 'ECDSA_SHA_256' }), { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }],
    [equals('kms:MessageType', 'RAW'), (user, KeyId) => tryTo(user, 'Sign', { KeyId, Message: 'bQ==', SigningAlgorithm: 'ECDSA_SHA_256' }), { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }],
    [equals('kms:SigningAlgorithm', 'ML_DSA_SHAKE_256'), (user, KeyId) => tryTo(user, 'Sign', { KeyId, Message: MU, SigningAlgorithm: 'ML_DSA_SHAKE_256' }), ML_DSA],
    [equals('kms:MessageType', 'EXTERNAL_MU'), (user, KeyId) => tryTo(user, 'Sign', { KeyId, Message: MU, MessageType: 'EXTERNAL_MU', SigningAlgorithm: 'ML_DSA_SHAKE_256' }), ML_DSA],
    [equals('kms:KeySpec', 'ML_DSA_44'), (user, KeyId) => tryTo(user, 'GetPublicKey', { KeyId }), ML_DSA],
    [equals('kms:MacAlgorithm', 'HMAC_SHA_256'), (user, KeyId) => tryTo(user, 'GenerateMac', { KeyId, Message: 'bQ==', MacAlgorithm: 'HMAC_SHA_256' }), { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }],
    [equals('kms:GranteePrincipal', `arn:aws:iam::${ACCOUNT}:root`), (user, KeyId) => tryTo(user, 'CreateGrant', { KeyId, GranteePrincipal: `arn:aws:iam::${ACCOUNT}:root`, Operations: ['Decrypt'] }), {}],
    [{ 'ForAllValues:StringEquals': { 'kms:GrantOperations': ['Decrypt', 'Encrypt'] } }, (user, KeyId) => tryTo(user, 'CreateGrant', { KeyId, GranteePrincipal: `arn:aws:iam::${ACCOUNT}:root`, Operations: ['Decrypt'] }), {}],
    [equals('kms:GrantConstraintType', 'EncryptionContextSubset'), (user, KeyId) => tryTo(user, 'CreateGrant', { KeyId, GranteePrincipal: `arn:aws:iam::${ACCOUNT}:root`, Operations: ['Decrypt'], Constraints: { EncryptionContextSubset: { a: 'b' } } }), {}],
    [{ Bool: { 'kms:GrantIsForAWSResource': 'true' } }, (user, KeyId) => tryTo(user.as({ viaService: EC2 }), 'CreateGrant', { KeyId, GranteePrincipal: EC2, Operations: ['Decrypt'] }), {}],
    [equals('kms:WrappingAlgorithm', 'RSAES_OAEP_SHA_256'), (user, KeyId) => tryTo(user, 'GetParametersForImport', { KeyId, WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048' }), { Origin: 'EXTERNAL' }],
    [equals('kms:PrimaryRegion', 'eu-central-1'), (user, KeyId) => tryTo(user, 'UpdatePrimaryRegion', { KeyId, PrimaryRegion: 'eu-central-1' }), { MultiRegion: true }],
    [equals('aws:PrincipalAccount', ACCOUNT), encrypt, {}],
    [{ IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } }, encrypt, {}],
  ]; // prettier-ignore

  const inverted = (condition: object): object => ({ Null: Object.fromEntries(Object.values(condition).flatMap((keys: object) => Object.keys(keys).map((key) => [key, 'true']))) }); // prettier-ignore
  it.each(rules)('%j', async (condition, use, made) => {
    expect(await withCondition(condition, use, made)).toBe('ok');
    expect(await withCondition(inverted(condition), use, made)).toBe(DENIED); // It is there at all.
  });

  it('kms:RequestAlias and kms:ResourceAliases', async () => {
    const { id: KeyId, arn } = await me().newKey();
    const AliasName = `alias/${KeyId}`;
    await me().call('CreateAlias', { AliasName, TargetKeyId: KeyId });
    const byRequest = as(
      newUser(ACCOUNT, policy(allow('kms:*', { Condition: equals('kms:RequestAlias', AliasName) }))),
    );
    expect([await encrypt(byRequest, AliasName), await encrypt(byRequest, arn)]).toEqual(['ok', DENIED]);
    const byResource = { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': [AliasName] } };
    expect(await encrypt(as(newUser(ACCOUNT, policy(allow('kms:*', { Condition: byResource })))), arn)).toBe('ok');
    const named = newUser(ACCOUNT);
    await me().call('PutKeyPolicy', {
      KeyId,
      Policy: text(ROOT, allow('kms:*', { ...forArn(named.arn), Condition: byResource })),
    });
    expect(await encrypt(as(named), arn)).toBe('ok');
    await me().call('DeleteAlias', { AliasName });
    expect(await encrypt(as(named), arn)).toBe(DENIED);
  });

  it('kms:ReEncryptOnSameKey', async () => {
    const [one, two] = [await me().newKey(), await me().newKey()];
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId: one.id, Plaintext: Buffer.from('x') });
    const user = as(
      newUser(ACCOUNT, policy(allow('kms:*', { Condition: { Bool: { 'kms:ReEncryptOnSameKey': 'true' } } }))),
    );
    expect(await tryTo(user, 'ReEncrypt', { CiphertextBlob, DestinationKeyId: one.arn })).toBe('ok');
    expect(await tryTo(user, 'ReEncrypt', { CiphertextBlob, DestinationKeyId: two.arn })).toBe(DENIED);
  });

  it('of CreateKey', async () => {
    const create = (Condition: object) => as(newUser(ACCOUNT, policy(allow('kms:CreateKey', { Condition }))));
    const ofTeam = { Condition: equals('aws:RequestTag/team', 'a') };
    const tagged = as(newUser(ACCOUNT, policy(allow(['kms:CreateKey', 'kms:TagResource'], ofTeam))));
    expect(await tryTo(tagged, 'CreateKey', { Tags: [{ TagKey: 'team', TagValue: 'a' }] })).toBe('ok');
    expect(await tryTo(tagged, 'CreateKey', {})).toBe(DENIED);
    const rsa = create(equals('kms:KeySpec', 'RSA_2048'));
    expect(await tryTo(rsa, 'CreateKey', { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' })).toBe('ok');
    expect(await tryTo(rsa, 'CreateKey', {})).toBe(DENIED);
    const careful = create({ Bool: { 'kms:BypassPolicyLockoutSafetyCheck': 'false' } });
    expect(await tryTo(careful, 'CreateKey', { BypassPolicyLockoutSafetyCheck: true })).toBe(DENIED);
  });

  it('of the tags that a key is made with', async () => {
    const Tags = [{ TagKey: 'team', TagValue: 'a' }];
    const untagging = newUser(ACCOUNT, policy(allow(['kms:CreateKey', 'kms:ReplicateKey'])));
    const message = `User: ${untagging.arn} is not authorized to perform: kms:TagResource because no identity-based policy allows the kms:TagResource action`;
    await expect(as(untagging).call('CreateKey', { Tags })).rejects.toEqual(refusal(DENIED, message));
    const { arn: KeyId } = await me().newKey({ MultiRegion: true });
    const replica = { KeyId, ReplicaRegion: 'us-east-1' };
    await expect(as(untagging).call('ReplicateKey', { ...replica, Tags })).rejects.toEqual(refusal(DENIED, message));
    expect(await tryTo(as(untagging), 'ReplicateKey', replica)).toBe('ok');
    const Resource = `arn:aws:kms:*:${ACCOUNT}:key/*`;
    const tagging = newUser(ACCOUNT, policy(allow('kms:CreateKey'), { ...allow('kms:TagResource'), Resource }));
    expect(await tryTo(as(tagging), 'CreateKey', { Tags })).toBe('ok');
  });
});
