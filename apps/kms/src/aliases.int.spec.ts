import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ACCOUNT, refusal, runningKms } from './testing/running-kms.ts';

const kms = runningKms();
const me = () => kms().caller(ACCOUNT);

describe('aliases', () => {
  it('name keys, move to others and go', async () => {
    const [one, two] = [await me().newKey(), await me().newKey()];
    await me().call('CreateAlias', { AliasName: 'alias/main', TargetKeyId: one.id });
    const aliasArn = `arn:aws:kms:eu-central-1:${ACCOUNT}:alias/main`;
    const described = async (KeyId: string) => (await me().call('DescribeKey', { KeyId })).KeyMetadata.Arn;
    expect(await described('alias/main')).toBe(one.arn);
    expect(await described(aliasArn)).toBe(one.arn);
    await expect(me().call('CreateAlias', { AliasName: 'alias/main', TargetKeyId: two.id })).rejects.toEqual(
      refusal('AlreadyExistsException', `An alias with the name ${aliasArn} already exists`),
    );
    await me().call('UpdateAlias', { AliasName: 'alias/main', TargetKeyId: two.arn });
    expect(await described('alias/main')).toBe(two.arn);
    expect((await me().call('ListAliases', { KeyId: two.id })).Aliases).toEqual([
      {
        AliasName: 'alias/main',
        AliasArn: aliasArn,
        TargetKeyId: two.id,
        CreationDate: expect.any(String),
        LastUpdatedDate: expect.any(String),
      },
    ]);
    await me().call('DeleteAlias', { AliasName: 'alias/main' });
    await expect(me().call('DeleteAlias', { AliasName: 'alias/main' })).rejects.toEqual(
      refusal('NotFoundException', `Alias ${aliasArn} is not found.`),
    );
    await me().call('CreateAlias', { AliasName: 'alias/main', TargetKeyId: one.id });
  });

  it.each([
    ['main', 'ValidationException', 'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html'], // prettier-ignore
    ['alias/a:b', 'ValidationException', 'alias/a:b contains invalid characters for an alias'],
    ['alias/é', 'ValidationException', "1 validation error detected: Value 'alias/é' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"], // prettier-ignore
    ['alias/aws/mine', 'NotAuthorizedException', ''],
  ])('cannot be called %s', async (AliasName, code, message) => {
    const { id: TargetKeyId } = await me().newKey();
    await expect(me().call('CreateAlias', { AliasName, TargetKeyId })).rejects.toEqual(refusal(code, message));
  });

  it('name no aliases, and management takes none', async () => {
    await expect(me().call('CreateAlias', { AliasName: 'alias/x', TargetKeyId: 'alias/y' })).rejects.toEqual(
      refusal('ValidationException', 'Aliases must refer to keys. Not aliases'),
    );
    await expect(me().call('DisableKey', { KeyId: 'alias/x' })).rejects.toEqual(
      refusal('NotFoundException', "Invalid keyId 'alias/x'"),
    );
  });

  it('of one name are made once, however many ask', async () => {
    const { id: TargetKeyId } = await me().newKey();
    const AliasName = `alias/${randomUUID()}`;
    const made = await Promise.allSettled(
      Array.from({ length: 8 }, () => me().call('CreateAlias', { AliasName, TargetKeyId })),
    );
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const { Aliases } = await me().call('ListAliases', { KeyId: TargetKeyId });
    expect(Aliases).toHaveLength(1);
  });
});
