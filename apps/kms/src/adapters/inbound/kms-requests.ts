import { AwsError, type RequestContext } from '@holdfast/contracts';
import type { DecisionRecord } from '@holdfast/iam';
import type { RequestHandlers } from '@holdfast/messaging';
import type { Action } from '../../application/action.ts';
import { cancelKeyDeletion } from '../../application/cancel-key-deletion.ts';
import { createAlias } from '../../application/create-alias.ts';
import { createGrant } from '../../application/create-grant.ts';
import { createKey } from '../../application/create-key.ts';
import { ConsideredSoFar, decisionRecord, isKeptWhenAllowed, isRefusal } from '../../application/decision-record.ts';
import { decrypt } from '../../application/decrypt.ts';
import { deleteAlias } from '../../application/delete-alias.ts';
import { deleteImportedKeyMaterial } from '../../application/delete-imported-key-material.ts';
import { deriveSharedSecret } from '../../application/derive-shared-secret.ts';
import { describeKey } from '../../application/describe-key.ts';
import { disableKeyRotation } from '../../application/disable-key-rotation.ts';
import { disableKey } from '../../application/disable-key.ts';
import { enableKeyRotation } from '../../application/enable-key-rotation.ts';
import { enableKey } from '../../application/enable-key.ts';
import { encrypt } from '../../application/encrypt.ts';
import { generateDataKeyPairWithoutPlaintext } from '../../application/generate-data-key-pair-without-plaintext.ts';
import { generateDataKeyPair } from '../../application/generate-data-key-pair.ts';
import { generateDataKeyWithoutPlaintext } from '../../application/generate-data-key-without-plaintext.ts';
import { generateDataKey } from '../../application/generate-data-key.ts';
import { generateMac } from '../../application/generate-mac.ts';
import { generateRandom } from '../../application/generate-random.ts';
import { getKeyManager } from '../../application/get-key-manager.ts';
import { getKeyLastUsage } from '../../application/get-key-last-usage.ts';
import { getKeyPolicy } from '../../application/get-key-policy.ts';
import { getKeyRotationStatus } from '../../application/get-key-rotation-status.ts';
import { getParametersForImport } from '../../application/get-parameters-for-import.ts';
import { getPublicKey } from '../../application/get-public-key.ts';
import { getTransportKey } from '../../application/get-transport-key.ts';
import { importKeyMaterial } from '../../application/import-key-material.ts';
import { listAliases } from '../../application/list-aliases.ts';
import { listGrants } from '../../application/list-grants.ts';
import { listKeyPolicies } from '../../application/list-key-policies.ts';
import { listKeyRotations } from '../../application/list-key-rotations.ts';
import { listKeys } from '../../application/list-keys.ts';
import { listResourceTags } from '../../application/list-resource-tags.ts';
import { listRetirableGrants } from '../../application/list-retirable-grants.ts';
import { putKeyPolicy } from '../../application/put-key-policy.ts';
import { reEncrypt } from '../../application/re-encrypt.ts';
import { replicateKey } from '../../application/replicate-key.ts';
import { retireGrant } from '../../application/retire-grant.ts';
import { revokeGrant } from '../../application/revoke-grant.ts';
import { rotateKeyOnDemand } from '../../application/rotate-key-on-demand.ts';
import { scheduleKeyDeletion } from '../../application/schedule-key-deletion.ts';
import { sign } from '../../application/sign.ts';
import { tagResource } from '../../application/tag-resource.ts';
import { untagResource } from '../../application/untag-resource.ts';
import { updateAlias } from '../../application/update-alias.ts';
import { updateKeyDescription } from '../../application/update-key-description.ts';
import { updatePrimaryRegion } from '../../application/update-primary-region.ts';
import { verifyMac } from '../../application/verify-mac.ts';
import { verify } from '../../application/verify.ts';
import type { Kms } from '../../application/ports.ts';
import { unsupported, UNSUPPORTED_OPERATIONS } from '../../application/unsupported.ts';
import { toAwsError } from './kms-errors.ts';

/** By the API's own names; GetTransportKey is asked for by other services only. */
export const ACTIONS: Readonly<Record<string, Action>> = {
  CancelKeyDeletion: cancelKeyDeletion,
  CreateAlias: createAlias,
  CreateGrant: createGrant,
  CreateKey: createKey,
  Decrypt: decrypt,
  DeleteAlias: deleteAlias,
  DeleteImportedKeyMaterial: deleteImportedKeyMaterial,
  DeriveSharedSecret: deriveSharedSecret,
  DescribeKey: describeKey,
  DisableKey: disableKey,
  DisableKeyRotation: disableKeyRotation,
  EnableKey: enableKey,
  EnableKeyRotation: enableKeyRotation,
  Encrypt: encrypt,
  GenerateDataKey: generateDataKey,
  GenerateDataKeyPair: generateDataKeyPair,
  GenerateDataKeyPairWithoutPlaintext: generateDataKeyPairWithoutPlaintext,
  GenerateDataKeyWithoutPlaintext: generateDataKeyWithoutPlaintext,
  GenerateMac: generateMac,
  GenerateRandom: generateRandom,
  GetKeyManager: getKeyManager,
  GetKeyLastUsage: getKeyLastUsage,
  GetKeyPolicy: getKeyPolicy,
  GetKeyRotationStatus: getKeyRotationStatus,
  GetParametersForImport: getParametersForImport,
  GetPublicKey: getPublicKey,
  GetTransportKey: getTransportKey,
  ImportKeyMaterial: importKeyMaterial,
  ListAliases: listAliases,
  ListGrants: listGrants,
  ListKeyPolicies: listKeyPolicies,
  ListKeyRotations: listKeyRotations,
  ListKeys: listKeys,
  ListResourceTags: listResourceTags,
  ListRetirableGrants: listRetirableGrants,
  PutKeyPolicy: putKeyPolicy,
  ReEncrypt: reEncrypt,
  ReplicateKey: replicateKey,
  RetireGrant: retireGrant,
  RevokeGrant: revokeGrant,
  RotateKeyOnDemand: rotateKeyOnDemand,
  ScheduleKeyDeletion: scheduleKeyDeletion,
  Sign: sign,
  TagResource: tagResource,
  UntagResource: untagResource,
  UpdateAlias: updateAlias,
  UpdateKeyDescription: updateKeyDescription,
  UpdatePrimaryRegion: updatePrimaryRegion,
  Verify: verify,
  VerifyMac: verifyMac,
  ...Object.fromEntries(UNSUPPORTED_OPERATIONS.map((operation) => [operation, unsupported(operation)])),
};

/** What the request's decision is kept as; `allowed` says whether the answer has to wait for it. */
export interface Decisions {
  allowed(record: DecisionRecord): void;
  refused(record: DecisionRecord): Promise<void>;
}

export const kmsRequests = (kms: Kms, decisions: Decisions): RequestHandlers =>
  Object.fromEntries(
    Object.entries(ACTIONS).map(([name, action]) => [
      name,
      async (input: unknown, context: RequestContext) => {
        const considered = new ConsideredSoFar();
        const served = { operation: name, input, context, considered, at: kms.clock.instant() };
        try {
          const output = await action({ ...kms, considered }, input, context);
          if (isKeptWhenAllowed(name)) decisions.allowed(decisionRecord(served, null));
          return output;
        } catch (error) {
          const answer = toAwsError(error);
          if (isRefusal(error) && answer instanceof AwsError)
            await decisions.refused(decisionRecord(served, { error, answer }));
          throw answer;
        }
      },
    ]),
  );
