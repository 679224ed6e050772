import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { ACTIONS } from './adapters/inbound/kms-requests.ts';
import { ImportedMaterial } from './testing/imported-material.ts';
import { ACCOUNT, runningKms } from './testing/running-kms.ts';

// Whatever comes, an error of AWS's answers it: never a 5xx, and nothing in the log that reads as a use of a key.

const kms = runningKms();
const me = () => kms().caller(ACCOUNT);
const RUNS = Number(process.env['HOLDFAST_FUZZ_RUNS'] ?? 150);
const EncryptionContext = { a: 'b' };
let keyId: string;
let external: string;
let valid: { blob: string; token: string; marker: string; importToken: string; wrapped: string };

beforeAll(async () => {
  keyId = (await me().newKey()).id;
  external = (await me().newKey({ Origin: 'EXTERNAL' })).id;
  await me().newKey();
  const encrypted = await me().call('Encrypt', { KeyId: keyId, Plaintext: randomBytes(64), EncryptionContext });
  const grant = { KeyId: keyId, GranteePrincipal: `arn:aws:iam::${ACCOUNT}:root`, Operations: ['Decrypt'] };
  const { GrantToken } = await me().call('CreateGrant', grant);
  const { NextMarker } = await me().call('ListKeys', { Limit: 1 });
  const asked = { KeyId: external, WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048' };
  const { ImportToken, PublicKey } = await me().call('GetParametersForImport', asked);
  const { wrap } = await import('./testing/imported-material.ts');
  const wrapped = wrap('RSAES_OAEP_SHA_256', PublicKey, ImportedMaterial.of('symmetric').bytes);
  valid = { blob: encrypted.CiphertextBlob, token: GrantToken, marker: NextMarker, importToken: ImportToken, wrapped };
});

const events = async (): Promise<number> => (await kms().sql.query('SELECT count(*)::int AS n FROM events')).rows[0].n;

/** An AWS error, as opposed to success, a bug or an outage. */
const refusalOf = async (action: string, input: object): Promise<string> => {
  try {
    await me().raw(action, input, { recipientPublicKey: await recipient() });
  } catch (error) {
    const { name, code = '' } = error as { name: string; code?: string };
    if (name === 'AwsError' && !/^(?:Internal|KMSInternal)/.test(code)) return code;
    throw new Error(`${action} ${JSON.stringify(input).slice(0, 500)}: ${String(error)}`, { cause: error });
  }
  return 'accepted';
};
let cachedRecipient: string | undefined;
const recipient = async () =>
  (cachedRecipient ??= (await (await import('@holdfast/sealing')).generateRecipient()).publicKeyBase64);

/** Bytes changed, cut, doubled or added. */
const mutated = (base64: () => string, encoding: 'base64' | 'base64url') =>
  fc
    .tuple(
      fc.constantFrom('flip', 'cut', 'append', 'splice'),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
    ) // prettier-ignore
    .map(([how, at, mask, more]) => {
      const bytes = Buffer.from(base64(), encoding);
      const index = at % bytes.length;
      if (how === 'flip') bytes[index]! ^= mask;
      if (how === 'cut') return bytes.subarray(0, index).toString(encoding);
      if (how === 'append') return Buffer.concat([bytes, more]).toString(encoding);
      if (how === 'splice')
        return Buffer.concat([bytes.subarray(0, index), more, bytes.subarray(index)]).toString(encoding);
      return bytes.toString(encoding);
    });

const holds = (arbitrary: fc.Arbitrary<string>, action: string, input: (text: string) => object, codes: RegExp) =>
  fc.assert(
    fc.asyncProperty(arbitrary, async (text) => {
      expect(await refusalOf(action, input(text))).toMatch(codes);
    }),
    { numRuns: RUNS },
  );

const fuzzy = { timeout: 120_000 };

describe('malformed', () => {
  it('ciphertexts', fuzzy, async () => {
    const before = await events();
    const codes = /^(?:InvalidCiphertext|Validation|AccessDenied|IncorrectKey)Exception$/;
    const blobs = mutated(() => valid.blob, 'base64');
    await holds(blobs, 'Decrypt', (CiphertextBlob) => ({ CiphertextBlob, EncryptionContext }), codes);
    await holds(blobs, 'Decrypt', (CiphertextBlob) => ({ CiphertextBlob, EncryptionContext, KeyId: keyId }), codes);
    await holds(blobs, 'ReEncrypt', (CiphertextBlob) => ({ CiphertextBlob, SourceEncryptionContext: EncryptionContext, DestinationKeyId: keyId }), codes); // prettier-ignore
    const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('base64'));
    await holds(noise, 'Decrypt', (CiphertextBlob) => ({ CiphertextBlob }), codes);
    expect(await events()).toBe(before);
  });

  it('tokens and markers', fuzzy, async () => {
    const before = await events();
    const tokens = mutated(() => valid.token, 'base64url').filter((token) => token !== valid.token);
    const codes = /^(?:InvalidGrantToken|Validation)Exception$/;
    await holds(tokens, 'DescribeKey', (token) => ({ KeyId: keyId, GrantTokens: [token] }), codes);
    await holds(tokens, 'RetireGrant', (GrantToken) => ({ GrantToken }), codes);
    const markers = mutated(() => valid.marker, 'base64url').filter((marker) => marker !== valid.marker);
    await holds(markers, 'ListKeys', (Marker) => ({ Marker }), /^(?:InvalidMarker|Validation)Exception$/);
    const forever = { KeyId: external, ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' };
    const importTokens = mutated(() => valid.importToken, 'base64');
    await holds(importTokens, 'ImportKeyMaterial', (ImportToken) => ({ ...forever, ImportToken, EncryptedKeyMaterial: valid.wrapped }), /^(?:InvalidImportToken|Validation)Exception$/); // prettier-ignore
    const wrapped = mutated(() => valid.wrapped, 'base64');
    await holds(wrapped, 'ImportKeyMaterial', (EncryptedKeyMaterial) => ({ ...forever, ImportToken: valid.importToken, EncryptedKeyMaterial }), /^(?:InvalidCiphertext|Validation|IncorrectKeyMaterial)Exception$/); // prettier-ignore
    expect(await events()).toBe(before);
  });

  it('policies', fuzzy, async () => {
    const before = await events();
    const text = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS: ACCOUNT }, Action: 'kms:*', Resource: '*' }] }); // prettier-ignore
    const cut = fc.integer({ min: 1, max: text.length - 1 }).map((at) => text.slice(0, at));
    const odd = fc.oneof(cut, fc.json(), fc.string({ minLength: 1 }));
    await holds(odd, 'PutKeyPolicy', (Policy) => ({ KeyId: keyId, Policy }), /^(?:MalformedPolicyDocument|Validation)Exception$/); // prettier-ignore
    expect(await events()).toBe(before);
  });

  it('parameters of every operation', fuzzy, async () => {
    const before = await events();
    const members = ['KeyId', 'Message', 'Plaintext', 'CiphertextBlob', 'Limit', 'Marker', 'Tags', 'TagKeys', 'AliasName',
      'TargetKeyId', 'EncryptionContext', 'GrantTokens', 'GranteePrincipal', 'Operations', 'KeySpec', 'NumberOfBytes',
      'Signature', 'Mac', 'PublicKey', 'ValidTo', 'ReplicaRegion', 'PrimaryRegion', 'SigningAlgorithm', 'Nonsense']; // prettier-ignore
    const anything = fc.oneof(
      fc.anything(),
      fc.string(),
      fc.constantFrom('alias/x', 'mrk-', '\0', 'arn:aws:kms:::key/x'),
    );
    const input = fc.dictionary(fc.constantFrom(...members), anything, { minKeys: 1 });
    const actions = Object.keys(ACTIONS).filter((name) => !/^(?:GetTransportKey|GetKeyManager|CreateKey|List|GenerateRandom)/.test(name)); // prettier-ignore
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...actions), input, async (action, members) => {
        let json: object;
        try {
          json = JSON.parse(JSON.stringify(members)) as object;
        } catch {
          return; // BigInts and circles do not travel.
        }
        expect(await refusalOf(action, json)).not.toBe('accepted');
      }),
      { numRuns: RUNS * 6 },
    );
    expect(await events()).toBe(before);
  });
});
