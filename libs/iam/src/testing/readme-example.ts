import { denialMessage, evaluate, loadPolicy, principalOf, smallestChange } from '../index.ts';
import type { Principal } from '@holdfast/contracts';

const account = '111122223333';
const keyArn = `arn:aws:kms:eu-central-1:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`;

// Compile when a policy changes, not when a request comes.
const keyPolicy = loadPolicy(
  `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"${account}"},"Action":"kms:*","Resource":"*"}}`,
  'key',
);
const inline = loadPolicy(
  `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Decrypt","Resource":"${keyArn}",
    "Condition":{"StringEquals":{"kms:EncryptionContext:aws:ebs:id":"vol-1"}}}}`,
  'identity',
  'DecryptOneVolume',
);

export const mayDecrypt = (caller: Principal, volumeId: string): string => {
  const decision = evaluate({
    request: {
      principal: principalOf(caller),
      action: 'kms:Decrypt',
      resource: keyArn,
      region: 'eu-central-1',
      at: new Date('2026-07-01T12:00:00Z'),
      kms: { encryptionContext: { 'aws:ebs:id': volumeId } },
    },
    identityPolicies: [inline],
    resourcePolicy: keyPolicy,
    resourceAccount: account,
    grants: [],
  });
  return decision.allowed ? 'yes' : `${denialMessage(decision)}. ${smallestChange(decision).sentence}`;
};
