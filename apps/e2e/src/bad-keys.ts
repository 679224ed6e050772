import {
  CreateKeyCommand,
  type CreateKeyCommandInput,
  DeleteImportedKeyMaterialCommand,
  DisableKeyCommand,
  GetParametersForImportCommand,
  ImportKeyMaterialCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { constants, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto';
import { REGION, TestAccount } from './account.ts';
import { clientsFor } from './clients.ts';
import type { Stack } from './stack.ts';

/** What makes a good key one that can't be used. */
export const SPOILERS: Readonly<Record<string, (account: TestAccount, KeyId: string) => Promise<unknown>>> = {
  disabled: ({ kms }, KeyId) => kms.send(new DisableKeyCommand({ KeyId })),
  'pending deletion': ({ kms }, KeyId) => kms.send(new ScheduleKeyDeletionCommand({ KeyId })),
  'pending import': ({ kms }, KeyId) => kms.send(new DeleteImportedKeyMaterialCommand({ KeyId })),
};

/** A key whose material the caller brought, so that it can be taken away again. */
export const importedKey = async ({ kms }: TestAccount): Promise<string> => {
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({ Origin: 'EXTERNAL' }));
  const KeyId = KeyMetadata?.Arn ?? '';
  const algorithm = { WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048' } as const;
  const { PublicKey, ImportToken } = await kms.send(new GetParametersForImportCommand({ KeyId, ...algorithm }));
  const key = createPublicKey({ key: Buffer.from(PublicKey ?? []), format: 'der', type: 'spki' });
  const padding = { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
  const EncryptedKeyMaterial = publicEncrypt(padding, randomBytes(32));
  const ExpirationModel = 'KEY_MATERIAL_DOES_NOT_EXPIRE';
  await kms.send(new ImportKeyMaterialCommand({ KeyId, ImportToken, EncryptedKeyMaterial, ExpirationModel }));
  return KeyId;
};

const made = async (account: TestAccount, input: CreateKeyCommandInput) =>
  (await account.kms.send(new CreateKeyCommand(input))).KeyMetadata?.Arn ?? '';

/** One of each kind that EBS can't use. */
export const badKeys = async (stack: Stack, account: TestAccount): Promise<Record<string, string>> => {
  const spoilt = async (how: string) => {
    const key = how === 'pending import' ? await importedKey(account) : await account.newKey();
    await SPOILERS[how]?.(account, key);
    return key;
  };
  const elsewhere = new TestAccount(
    stack,
    account.accountId,
    clientsFor(stack.endpoint, account.accountId, 'us-east-1'),
  );
  return {
    disabled: await spoilt('disabled'),
    'pending deletion': await spoilt('pending deletion'),
    'pending import': await spoilt('pending import'),
    'of another Region': await elsewhere.newKey(),
    'of another account': await new TestAccount(stack, '444455556666').newKey(),
    HMAC: await made(account, { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }),
    asymmetric: await made(account, { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' }),
    absent: `arn:aws:kms:${REGION}:${account.accountId}:key/00000000-0000-4000-8000-000000000000`,
    'an absent alias': 'alias/absent',
    malformed: 'not a key',
  };
};
