import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { ACTIONS } from './adapters/inbound/kms-requests.ts';
import { ImportedMaterial } from './testing/imported-material.ts';
import { ACCOUNT, runningKms } from './testing/running-kms.ts';

// Whatever comes, an error of AWS's answers it: never a 5xx, and nothing in the log that reads as a use of a key.

const kms = runningKms();
const me = () => kms().caller(ACCOUNT);
/** Of each of the seventeen properties: more than ten thousand together. */
const RUNS = Number(process.env['HOLDFAST_FUZZ_RUNS'] ?? 608);
/** What is asked at a time: the service's answers, not the way to it and back, are what takes time then. */
const AT_ONCE = 32;
const EncryptionContext = { a: 'b' };
let keyId: string;
let external: string;
let pair: string;
let valid: { blob: string; token: string; marker: string; importToken: string; wrapped: string };

beforeAll(async () => {
  keyId = (await me().newKey()).id;
  external = (await me().newKey({ Origin: 'EXTERNAL' })).id;
  pair = (await me().newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })).id;
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

/** Of many at once; one that fails is found among them by shrinking. */
const forAll = <Value>(arbitrary: fc.Arbitrary<Value>, check: (value: Value) => Promise<void>, runs = RUNS) =>
  fc.assert(
    fc.asyncProperty(fc.array(arbitrary, { minLength: 1, maxLength: AT_ONCE, size: 'max' }), async (values) => {
      await Promise.all(values.map(check));
    }),
    { numRuns: Math.ceil((2 * runs) / AT_ONCE) }, // Half of AT_ONCE on average.
  );

const holds = (arbitrary: fc.Arbitrary<string>, action: string, input: (text: string) => object, codes: RegExp) =>
  forAll(arbitrary, async (text) => {
    expect(await refusalOf(action, input(text))).toMatch(codes);
  });

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
    let accepted = 0;
    const text = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS: ACCOUNT }, Action: 'kms:*', Resource: '*' }] }); // prettier-ignore
    const cut = fc.integer({ min: 1, max: text.length - 1 }).map((at) => text.slice(0, at));
    const odd = fc.oneof(cut, fc.json(), fc.string({ minLength: 1 }));
    const codes = /^(?:MalformedPolicyDocument|Validation)Exception$/;
    await holds(odd, 'PutKeyPolicy', (Policy) => ({ KeyId: keyId, Policy }), codes);
    // One character is another: what is still a policy that lets its owner change it is no malformed one.
    const altered = fc.tuple(fc.nat({ max: text.length - 1 }), fc.string({ minLength: 1, maxLength: 1 })).map(([at, other]) => text.slice(0, at) + other + text.slice(at + 1)); // prettier-ignore
    await forAll(altered, async (Policy) => {
      expect(await refusalOf('CreateKey', { Policy, KeySpec: 'ECC_NIST_P256' })).toMatch(/Exception$/); // Without a usage.
      const outcome = await refusalOf('PutKeyPolicy', { KeyId: external, Policy });
      if (outcome !== 'accepted') expect(outcome).toMatch(codes);
      else accepted++;
    });
    expect(await events()).toBeLessThanOrEqual(before + accepted);
    const { rows } = await kms().sql.query(`SELECT 1 FROM events WHERE type = 'KeyUsed' AND data->>'keyId' = $1`, [external]); // prettier-ignore
    expect(rows).toEqual([]);
  });

  it('parameters of uses that are otherwise valid', fuzzy, async () => {
    const CiphertextBlob = valid.blob;
    const message = Buffer.alloc(32).toString('base64');
    const inputs: Record<string, Record<string, unknown>> = {
      Decrypt: { CiphertextBlob, EncryptionContext, KeyId: keyId },
      GenerateDataKey: { KeyId: keyId, KeySpec: 'AES_256', EncryptionContext },
      GenerateDataKeyWithoutPlaintext: { KeyId: keyId, NumberOfBytes: 64, EncryptionContext },
      ReEncrypt: { CiphertextBlob, SourceEncryptionContext: EncryptionContext, DestinationKeyId: keyId },
      Sign: { KeyId: pair, Message: message, MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_256' },
    };
    const anything = fc.oneof(
      fc.jsonValue(),
      fc.string(),
      fc.constantFrom(keyId, pair, '', [], {}, 0, -1, null, 2 ** 53),
    );
    const asked = fc.constantFrom(...Object.keys(inputs)).chain((action) =>
      fc.tuple(fc.constant(action), fc.constantFrom(...Object.keys(inputs[action] ?? {}), 'DryRun'), fc.option(anything)),
    ); // prettier-ignore
    const uses = async () =>
      (await kms().sql.query(`SELECT count(*)::int AS n FROM events WHERE type = 'KeyUsed'`)).rows[0].n as number;
    const [before, all] = [await uses(), await events()];
    let expected = 0;
    await forAll(asked, async ([action, member, value]) => {
      const { [member]: _, ...rest } = inputs[action] ?? {};
      const outcome = await refusalOf(action, value === null ? rest : { ...rest, [member]: value });
      if (outcome === 'accepted') expected += action === 'ReEncrypt' ? 2 : 1;
    });
    // What was refused left nothing, and what was answered its uses: the log says neither more nor less.
    expect(await uses()).toBe(before + expected);
    expect(await events()).toBe(all + expected);
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
    const calls = fc.tuple(fc.constantFrom(...actions), input);
    await forAll(
      calls,
      async ([action, given]) => {
        let json: object;
        try {
          json = JSON.parse(JSON.stringify(given)) as object;
        } catch {
          return; // BigInts and circles do not travel.
        }
        expect(await refusalOf(action, json)).not.toBe('accepted');
      },
      RUNS * 4,
    );
    expect(await events()).toBe(before);
  });
});
