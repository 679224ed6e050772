import { beforeAll, describe, expect, it } from 'vitest';
import { KEY_STATES, OPERATION_STATES, requireState } from './domain/key-state.ts';
import type { Caller } from './testing/caller.ts';
import { ImportedMaterial } from './testing/imported-material.ts';
import { ACCOUNT, runningKms } from './testing/running-kms.ts';

// The guide's table a second time, as its reader would copy it: what the code's own table is held against, cell by cell.
// 1 disabled, 3 pending deletion, 4 not pending deletion, 5 pending import, 6 and 9 wrong origin, 7 unsupported,
// 11 unavailable, 14 creating, 15 updating. States: Enabled, Disabled, PendingDeletion, PendingImport, Unavailable,
// Creating, Updating.
const GUIDE = `
  Encrypt                             ok 1  3  5  11 14 ok
  Decrypt                             ok 1  3  5  11 14 ok
  ReEncryptFrom                       ok 1  3  5  11 14 ok
  ReEncryptTo                         ok 1  3  5  11 14 ok
  GenerateDataKey                     ok 1  3  5  11 14 ok
  GenerateDataKeyWithoutPlaintext     ok 1  3  5  11 14 ok
  GenerateDataKeyPair                 ok 1  3  5  11 14 ok
  GenerateDataKeyPairWithoutPlaintext ok 1  3  5  11 14 ok
  Sign                                ok 1  3  5  11 14 ok
  Verify                              ok 1  3  5  11 14 ok
  GenerateMac                         ok 1  3  5  11 14 ok
  VerifyMac                           ok 1  3  5  11 14 ok
  DeriveSharedSecret                  ok 1  3  5  11 14 ok
  CreateGrant                         ok 1  3  5  ok 14 ok
  GetPublicKey                        ok ok 3  5  11 14 ok
  DescribeKey                         ok ok ok ok ok ok ok
  GetKeyPolicy                        ok ok ok ok ok ok ok
  PutKeyPolicy                        ok ok ok ok ok ok ok
  ListKeyPolicies                     ok ok ok ok ok ok ok
  ListGrants                          ok ok ok ok ok ok ok
  ListAliases                         ok ok ok ok ok ok ok
  ListResourceTags                    ok ok ok ok ok ok ok
  RetireGrant                         ok ok ok ok ok ok ok
  RevokeGrant                         ok ok ok ok ok ok ok
  DeleteAlias                         ok ok ok ok ok ok ok
  CreateAlias                         ok ok 3  ok ok ok ok
  UpdateAlias                         ok ok 3  ok ok ok ok
  TagResource                         ok ok 3  ok ok ok ok
  UntagResource                       ok ok 3  ok ok ok ok
  UpdateKeyDescription                ok ok 3  ok ok ok ok
  EnableKey                           ok ok 3  5  ok 14 15
  DisableKey                          ok ok 3  5  ok 14 15
  ScheduleKeyDeletion                 ok ok 3  ok ok ok 15
  CancelKeyDeletion                   4  4  ok 4  4  4  4
  EnableKeyRotation                   ok 1  3  6  ok 14 ok
  DisableKeyRotation                  ok 1  3  6  ok 14 ok
  GetKeyLastUsage                     ok ok ok ok ok ok ok
  GetKeyRotationStatus                ok ok ok 6  ok ok ok
  RotateKeyOnDemand                   ok 1  3  5  ok 14 15
  ListKeyRotations                    ok ok ok ok ok ok ok
  GetParametersForImport              ok ok 3  ok ok 14 15
  ImportKeyMaterial                   ok ok 3  ok ok 14 ok
  DeleteImportedKeyMaterial           ok ok ok ok ok 14 15
  ReplicateKey                        ok 1  3  5  11 14 15
  UpdatePrimaryRegion                 ok 1  3  5  11 14 ok`;

const rows = GUIDE.trim()
  .split('\n')
  .map((line) => line.trim().split(/\s+/) as [operation: string, ...cells: string[]]);
const COLUMNS = ['Enabled', 'Disabled', 'PendingDeletion', 'PendingImport', 'Unavailable', 'Creating', 'Updating'];
const cells = rows.flatMap(([operation, ...codes]) =>
  codes.map((code, index) => ({ operation, state: COLUMNS[index] ?? '', code })),
);

type Kind =
  'symmetric' | 'external' | 'rsa' | 'signing' | 'mlDsa' | 'agreement' | 'hmac' | 'multiRegion' | 'externalMultiRegion';
type Key = { id: string; arn: string };

const KINDS: Record<Kind, object> = {
  symmetric: {},
  external: { Origin: 'EXTERNAL' },
  rsa: { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' },
  signing: { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' },
  mlDsa: { KeySpec: 'ML_DSA_44', KeyUsage: 'SIGN_VERIFY' },
  agreement: { KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' },
  hmac: { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
  multiRegion: { MultiRegion: true },
  externalMultiRegion: { MultiRegion: true, Origin: 'EXTERNAL' },
};
const EXTERNAL: Partial<Record<Kind, object>> = {
  signing: { ...KINDS.signing, Origin: 'EXTERNAL' },
  mlDsa: { ...KINDS.mlDsa, Origin: 'EXTERNAL' },
  agreement: { ...KINDS.agreement, Origin: 'EXTERNAL' },
  hmac: { ...KINDS.hmac, Origin: 'EXTERNAL' },
  symmetric: KINDS.external,
  multiRegion: KINDS.externalMultiRegion,
};

const kms = runningKms();
const me = (): Caller => kms().caller(ACCOUNT);
/** Made while it was enabled, for operations that need something of the key's. */
interface Prepared {
  key: Key;
  blob: string;
  grantId: string;
  alias: string;
  signature: string;
  signingAlgorithm: string;
  mac: string;
  peer: string;
}
let other: Key;
let peer: string;
let count = 0;
const message = Buffer.from('m').toString('base64');

beforeAll(async () => {
  other = await me().newKey();
  const pair = await me().newKey(KINDS.agreement);
  peer = (await me().call('GetPublicKey', { KeyId: pair.id })).PublicKey;
});

const KINDS_OF: Record<string, Kind | Kind[]> = {
  Sign: ['signing', 'mlDsa'], Verify: ['signing', 'mlDsa'], GetPublicKey: ['signing', 'mlDsa'], GenerateMac: 'hmac', VerifyMac: 'hmac',
  DeriveSharedSecret: 'agreement', GetParametersForImport: 'external', ImportKeyMaterial: 'external',
  DeleteImportedKeyMaterial: 'external', ReplicateKey: 'multiRegion', UpdatePrimaryRegion: 'multiRegion',
}; // prettier-ignore

/** The call of an operation on a key, with everything else about it in order. */
const CALLS: Record<string, (at: Prepared) => [action: string, input: object]> = {
  Encrypt: ({ key }) => ['Encrypt', { KeyId: key.id, Plaintext: Buffer.from('x') }],
  Decrypt: ({ key, blob }) => ['Decrypt', { KeyId: key.id, CiphertextBlob: blob }],
  ReEncryptFrom: ({ blob }) => ['ReEncrypt', { CiphertextBlob: blob, DestinationKeyId: other.id }],
  ReEncryptTo: ({ key }) => ['ReEncrypt', { CiphertextBlob: otherBlob, DestinationKeyId: key.id }],
  GenerateDataKey: ({ key }) => ['GenerateDataKey', { KeyId: key.id, KeySpec: 'AES_256' }],
  GenerateDataKeyWithoutPlaintext: ({ key }) => ['GenerateDataKeyWithoutPlaintext', { KeyId: key.id, KeySpec: 'AES_256' }],
  GenerateDataKeyPair: ({ key }) => ['GenerateDataKeyPair', { KeyId: key.id, KeyPairSpec: 'ECC_NIST_P256' }],
  GenerateDataKeyPairWithoutPlaintext: ({ key }) => ['GenerateDataKeyPairWithoutPlaintext', { KeyId: key.id, KeyPairSpec: 'ECC_NIST_P256' }],
  Sign: ({ key, signingAlgorithm }) => ['Sign', { KeyId: key.id, Message: message, SigningAlgorithm: signingAlgorithm }],
  Verify: ({ key, signature, signingAlgorithm }) => ['Verify', { KeyId: key.id, Message: message, SigningAlgorithm: signingAlgorithm, Signature: signature }],
  GetPublicKey: ({ key }) => ['GetPublicKey', { KeyId: key.id }],
  GenerateMac: ({ key }) => ['GenerateMac', { KeyId: key.id, Message: message, MacAlgorithm: 'HMAC_SHA_256' }],
  VerifyMac: ({ key, mac }) => ['VerifyMac', { KeyId: key.id, Message: message, MacAlgorithm: 'HMAC_SHA_256', Mac: mac }],
  DeriveSharedSecret: ({ key }) => ['DeriveSharedSecret', { KeyId: key.id, KeyAgreementAlgorithm: 'ECDH', PublicKey: peer }],
  CreateGrant: ({ key }) => ['CreateGrant', { KeyId: key.id, GranteePrincipal: `arn:aws:iam::${ACCOUNT}:root`, Operations: ['Decrypt'] }],
  RetireGrant: ({ key, grantId }) => ['RetireGrant', { KeyId: key.arn, GrantId: grantId }],
  RevokeGrant: ({ key, grantId }) => ['RevokeGrant', { KeyId: key.id, GrantId: grantId }],
  CreateAlias: ({ key, alias }) => ['CreateAlias', { TargetKeyId: key.id, AliasName: `${alias}-new` }],
  UpdateAlias: ({ key, alias }) => ['UpdateAlias', { TargetKeyId: key.id, AliasName: alias }],
  DeleteAlias: ({ alias }) => ['DeleteAlias', { AliasName: alias }],
  TagResource: ({ key }) => ['TagResource', { KeyId: key.id, Tags: [{ TagKey: 'a', TagValue: 'b' }] }],
  UntagResource: ({ key }) => ['UntagResource', { KeyId: key.id, TagKeys: ['a'] }],
  UpdateKeyDescription: ({ key }) => ['UpdateKeyDescription', { KeyId: key.id, Description: 'new' }],
  PutKeyPolicy: ({ key }) => ['PutKeyPolicy', { KeyId: key.id, Policy: JSON.stringify({ Version: '2012-10-17', Statement: { Effect: 'Allow', Principal: { AWS: ACCOUNT }, Action: 'kms:*', Resource: '*' } }) }],
  GetParametersForImport: ({ key }) => ['GetParametersForImport', { KeyId: key.id, WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048' }],
  ReplicateKey: ({ key }) => ['ReplicateKey', { KeyId: key.id, ReplicaRegion: 'eu-north-1' }],
  UpdatePrimaryRegion: ({ key }) => ['UpdatePrimaryRegion', { KeyId: key.id, PrimaryRegion: 'eu-west-1' }],
}; // prettier-ignore
let otherBlob = '';

const prepare = async (kind: Kind, material: ImportedMaterial | null): Promise<Prepared> => {
  const key = await me().newKey(material === null ? KINDS[kind] : EXTERNAL[kind]);
  if (material !== null) await material.importInto(me(), key.id);
  const alias = `alias/state-${String(++count)}`;
  await me().call('CreateAlias', { AliasName: alias, TargetKeyId: key.id });
  const signingAlgorithm = kind === 'mlDsa' ? 'ML_DSA_SHAKE_256' : 'ECDSA_SHA_256';
  const prepared: Prepared = { key, alias, blob: '', grantId: '', signature: '', signingAlgorithm, mac: '', peer };
  const isSymmetric = ['symmetric', 'external', 'multiRegion'].includes(kind);
  if (isSymmetric) {
    prepared.blob = (await me().call('Encrypt', { KeyId: key.id, Plaintext: Buffer.from('x') })).CiphertextBlob;
    otherBlob = (await me().call('Encrypt', { KeyId: other.id, Plaintext: Buffer.from('x') })).CiphertextBlob;
    const grant = { KeyId: key.id, GranteePrincipal: `arn:aws:iam::${ACCOUNT}:root`, Operations: ['Decrypt'] };
    prepared.grantId = (await me().call('CreateGrant', grant)).GrantId;
  }
  const at = { KeyId: key.id, Message: message };
  if (kind === 'signing' || kind === 'mlDsa') prepared.signature = (await me().call('Sign', { ...at, SigningAlgorithm: signingAlgorithm })).Signature; // prettier-ignore
  if (kind === 'hmac') prepared.mac = (await me().call('GenerateMac', { ...at, MacAlgorithm: 'HMAC_SHA_256' })).Mac;
  return prepared;
};

const REACHABLE = new Set(['Enabled', 'Disabled', 'PendingDeletion', 'PendingImport']);

const bring = async (caller: Caller, KeyId: string, state: string): Promise<void> => {
  if (state === 'Disabled') await caller.call('DisableKey', { KeyId });
  if (state === 'PendingDeletion') await caller.call('ScheduleKeyDeletion', { KeyId });
  if (state === 'PendingImport') await caller.call('DeleteImportedKeyMaterial', { KeyId });
};

const refusalOf = (code: string, arn: string): object => {
  switch (code) {
    case '1':
      return { code: 'DisabledException', message: `${arn} is disabled.` };
    case '3':
      return { code: 'KMSInvalidStateException', message: `${arn} is pending deletion.` };
    case '4':
      return { code: 'KMSInvalidStateException', message: `${arn} is not pending deletion.` };
    case '5':
      return { code: 'KMSInvalidStateException', message: `${arn} is pending import.` };
    case '6':
      return {
        code: 'UnsupportedOperationException',
        message: `${arn} origin is EXTERNAL which is not valid for this operation.`,
      };
    default:
      throw new Error(`no refusal ${code}`);
  }
};

describe('each operation in each state that a key can be in', () => {
  const ofEachKind = cells.flatMap((cell) => [KINDS_OF[cell.operation] ?? 'symmetric'].flat().map((kind) => ({ ...cell, kind }))); // prettier-ignore
  it.each(ofEachKind.filter(({ state }) => REACHABLE.has(state)))('$operation, $kind, $state: $code', async (cell) => {
    const { operation, kind, state, code } = cell;
    const isImport = kind === 'external' || state === 'PendingImport';
    const material = isImport ? ImportedMaterial.of(kind === 'external' ? 'symmetric' : kind) : null;
    const prepared = await prepare(kind === 'external' ? 'symmetric' : kind, material);
    const { key } = prepared;
    if (operation === 'UpdateAlias') {
      await me().call('UpdateAlias', { AliasName: prepared.alias, TargetKeyId: other.id });
    }
    if (operation === 'UpdatePrimaryRegion') {
      await me().call('ReplicateKey', { KeyId: key.id, ReplicaRegion: 'eu-west-1' });
    }
    if (operation === 'RotateKeyOnDemand' && material !== null) await ImportedMaterial.of('symmetric').importInto(me(), key.id, { ImportType: 'NEW_KEY_MATERIAL' }); // prettier-ignore
    await bring(me(), key.id, state);
    const call = async () => {
      if (operation === 'ImportKeyMaterial') return material!.importInto(me(), key.id, {}, state === 'PendingDeletion');
      const [action, input] = CALLS[operation]?.(prepared) ?? [operation, { KeyId: key.id }];
      return me().call(action, input);
    };
    if (code === 'ok') await call();
    else await expect(call()).rejects.toMatchObject(refusalOf(code, key.arn));
  });
});

describe("the code's own table", () => {
  it('has the same operations, and every state', () => {
    const listed = rows.map(([operation]) => operation).sort();
    expect(Object.keys(OPERATION_STATES).sort()).toEqual(listed);
    expect(KEY_STATES.filter((state) => !COLUMNS.includes(state))).toEqual(['PendingReplicaDeletion']);
  });

  const names: Record<string, string> = {
    1: 'KeyDisabled', 3: 'KeyPendingDeletion', 4: 'KeyNotPendingDeletion', 5: 'KeyPendingImport', 11: 'KeyUnavailable',
    14: 'KeyCreating', 15: 'KeyUpdating',
  }; // prettier-ignore
  it.each(cells.filter(({ code }) => code !== '6'))('$operation, $state: $code', ({ operation, state, code }) => {
    const check = () => requireState(operation as never, state as never, 'arn');
    if (code === 'ok') expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ code: names[code] }));
    const alike = () => requireState(operation as never, 'PendingReplicaDeletion', 'arn');
    if (state === 'PendingDeletion') expect(code === 'ok' ? 'ok' : 'refused').toBe((() => { try { alike(); return 'ok'; } catch { return 'refused'; } })()); // prettier-ignore
  });
});
