import type { RequestContext } from '@holdfast/contracts';
import type { RequestHandlers } from '@holdfast/messaging';
import type { Action } from '../../application/action.ts';
import { cancelKeyDeletion } from '../../application/cancel-key-deletion.ts';
import { createAlias } from '../../application/create-alias.ts';
import { createGrant } from '../../application/create-grant.ts';
import { createKey } from '../../application/create-key.ts';
import { decrypt } from '../../application/decrypt.ts';
import { deleteAlias } from '../../application/delete-alias.ts';
import { describeKey } from '../../application/describe-key.ts';
import { disableKey } from '../../application/disable-key.ts';
import { enableKey } from '../../application/enable-key.ts';
import { encrypt } from '../../application/encrypt.ts';
import { generateDataKey } from '../../application/generate-data-key.ts';
import { generateDataKeyWithoutPlaintext } from '../../application/generate-data-key-without-plaintext.ts';
import { getKeyPolicy } from '../../application/get-key-policy.ts';
import { getKeyRotationStatus } from '../../application/get-key-rotation-status.ts';
import { getTransportKey } from '../../application/get-transport-key.ts';
import { listAliases } from '../../application/list-aliases.ts';
import { listGrants } from '../../application/list-grants.ts';
import { listKeyPolicies } from '../../application/list-key-policies.ts';
import { listKeys } from '../../application/list-keys.ts';
import { listResourceTags } from '../../application/list-resource-tags.ts';
import { listRetirableGrants } from '../../application/list-retirable-grants.ts';
import { reEncrypt } from '../../application/re-encrypt.ts';
import { retireGrant } from '../../application/retire-grant.ts';
import { revokeGrant } from '../../application/revoke-grant.ts';
import { scheduleKeyDeletion } from '../../application/schedule-key-deletion.ts';
import { tagResource } from '../../application/tag-resource.ts';
import { untagResource } from '../../application/untag-resource.ts';
import { updateAlias } from '../../application/update-alias.ts';
import { updateKeyDescription } from '../../application/update-key-description.ts';
import type { Kms } from '../../application/ports.ts';
import { toAwsError } from './kms-errors.ts';

/** By the API's own names; GetTransportKey is asked for by other services only. */
const ACTIONS: Readonly<Record<string, Action>> = {
  CancelKeyDeletion: cancelKeyDeletion,
  CreateAlias: createAlias,
  CreateGrant: createGrant,
  CreateKey: createKey,
  Decrypt: decrypt,
  DeleteAlias: deleteAlias,
  DescribeKey: describeKey,
  DisableKey: disableKey,
  EnableKey: enableKey,
  Encrypt: encrypt,
  GenerateDataKey: generateDataKey,
  GenerateDataKeyWithoutPlaintext: generateDataKeyWithoutPlaintext,
  GetKeyPolicy: getKeyPolicy,
  GetKeyRotationStatus: getKeyRotationStatus,
  GetTransportKey: getTransportKey,
  ListAliases: listAliases,
  ListGrants: listGrants,
  ListKeyPolicies: listKeyPolicies,
  ListKeys: listKeys,
  ListResourceTags: listResourceTags,
  ListRetirableGrants: listRetirableGrants,
  ReEncrypt: reEncrypt,
  RetireGrant: retireGrant,
  RevokeGrant: revokeGrant,
  ScheduleKeyDeletion: scheduleKeyDeletion,
  TagResource: tagResource,
  UntagResource: untagResource,
  UpdateAlias: updateAlias,
  UpdateKeyDescription: updateKeyDescription,
};

export const kmsRequests = (kms: Kms): RequestHandlers =>
  Object.fromEntries(
    Object.entries(ACTIONS).map(([name, action]) => [
      name,
      async (input: unknown, context: RequestContext) => {
        try {
          return await action(kms, input, context);
        } catch (error) {
          throw toAwsError(error);
        }
      },
    ]),
  );
