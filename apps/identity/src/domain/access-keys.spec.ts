import { accountId } from '@holdfast/contracts';
import { describe, expect, it } from 'vitest';
import { developmentAccessKeys, rootPrincipal, rootUserAccessKeys } from './access-keys.ts';

describe('development access keys', () => {
  it('are account numbers, for the root user of that account', () => {
    expect(developmentAccessKeys.find('111122223333')).toEqual({
      accessKeyId: '111122223333',
      secretAccessKey: 'test',
      principal: {
        type: 'Root',
        arn: 'arn:aws:iam::111122223333:root',
        accountId: '111122223333',
        principalId: '111122223333',
      },
    });
  });
  it.each(['', '1', '1111222233334', '11112222333x', 'AKIAIOSFODNN7EXAMPLE'])('are nothing else: %j', (id) => {
    expect(developmentAccessKeys.find(id)).toBeNull();
  });
});

describe('production access keys', () => {
  const key = {
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    secretAccessKey: 'secret',
    principal: rootPrincipal(accountId('111122223333')),
  };
  it('are those of the deployment', () => {
    expect(rootUserAccessKeys([key]).find('AKIAIOSFODNN7EXAMPLE')).toEqual(key);
  });
  it('are not account numbers', () => {
    expect(rootUserAccessKeys([key]).find('111122223333')).toBeNull();
  });
});
