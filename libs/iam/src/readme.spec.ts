import { readFileSync } from 'node:fs';
import { accountId } from '@holdfast/contracts';
import { expect, it } from 'vitest';
import { mayDecrypt } from './testing/readme-example.ts';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const bob = {
  type: 'User' as const,
  arn: 'arn:aws:iam::111122223333:user/bob',
  accountId: accountId('111122223333'),
  principalId: 'AIDAEXAMPLEBOB000001',
};

it('answers as the README says', () => {
  expect(mayDecrypt(bob, 'vol-1')).toBe('yes');
  const refusal = mayDecrypt(bob, 'vol-2');
  expect(refusal).toContain('because no identity-based policy allows the kms:Decrypt action');
  expect(refusal).toContain(
    'Or meet the condition of statement 0 of the caller\'s identity-based policies: StringEquals kms:EncryptionContext:aws:ebs:id vol-1 (the request has vol-2).', // prettier-ignore
  );
});

it('is the example of the README', () => {
  const [, shown] = /```ts\n([\s\S]*?)```/.exec(read('../README.md')) ?? [];
  expect(shown).toBe(read('./testing/readme-example.ts').replace("'../index.ts'", "'@holdfast/iam'"));
});
