import type { ec2 } from '@holdfast/aws-protocol';
import type { InternalRequests, RequestContext } from '@holdfast/contracts';
import { dryRunOperation, invalidParameterValue, missingParameter } from '@holdfast/ec2';
import type { RequestHandlers } from '@holdfast/messaging';
import type { DefaultKmsKey } from '../../application/default-kms-key.ts';
import type { EncryptionByDefault } from '../../application/encryption-by-default.ts';
import type { SnapshotBlockPublicAccess } from '../../application/snapshot-public-access.ts';
import type { BlockMode } from '../../domain/snapshot-public-access.events.ts';

type Internal = InternalRequests['account-settings'];
type Defaults = Internal['GetEncryptionDefaults']['out'];
type Hidden = Internal['ListHiddenPublicSnapshots'];

const refuseDryRun = ({ DryRun }: { DryRun?: boolean }) => {
  if (DryRun === true) throw dryRunOperation();
};

const checkedKeyId = (keyId: string | undefined): string => {
  if (keyId === undefined) throw missingParameter('KmsKeyId');
  if (keyId === '') throw invalidParameterValue('The specified keyId  is invalid');
  return keyId;
};

const MODES: readonly string[] = ['block-all-sharing', 'block-new-sharing'] satisfies BlockMode[];

const checkedMode = (state: string | undefined): BlockMode => {
  if (state === undefined || state === '') throw missingParameter('State');
  if (!MODES.includes(state)) throw invalidParameterValue(`Value (${state}) for parameter State is invalid.`);
  return state as BlockMode;
};

/** Settings of EBS encryption and of public snapshots, and what the other services ask about them. */
export const ec2Actions = (flag: EncryptionByDefault, key: DefaultKmsKey, publicAccess: SnapshotBlockPublicAccess) =>
  ({
    GetEbsEncryptionByDefault: async (input: ec2.GetEbsEncryptionByDefaultRequest, context: RequestContext) => {
      refuseDryRun(input);
      return { EbsEncryptionByDefault: await flag.get(context) };
    },
    EnableEbsEncryptionByDefault: async (input: ec2.EnableEbsEncryptionByDefaultRequest, context: RequestContext) => {
      refuseDryRun(input);
      return { EbsEncryptionByDefault: await flag.enable(context) };
    },
    DisableEbsEncryptionByDefault: async (input: ec2.DisableEbsEncryptionByDefaultRequest, context: RequestContext) => {
      refuseDryRun(input);
      return { EbsEncryptionByDefault: await flag.disable(context) };
    },
    GetEbsDefaultKmsKeyId: async (input: ec2.GetEbsDefaultKmsKeyIdRequest, context: RequestContext) => {
      refuseDryRun(input);
      return { KmsKeyId: await key.get(context) };
    },
    ModifyEbsDefaultKmsKeyId: async (input: ec2.ModifyEbsDefaultKmsKeyIdRequest, context: RequestContext) => {
      const keyId = checkedKeyId(input.KmsKeyId);
      refuseDryRun(input);
      return { KmsKeyId: await key.modify(keyId, context) };
    },
    ResetEbsDefaultKmsKeyId: async (input: ec2.ResetEbsDefaultKmsKeyIdRequest, context: RequestContext) => {
      refuseDryRun(input);
      return { KmsKeyId: await key.reset(context) };
    },
    EnableSnapshotBlockPublicAccess: async (
      input: ec2.EnableSnapshotBlockPublicAccessRequest,
      context: RequestContext,
    ) => {
      const mode = checkedMode(input.State);
      refuseDryRun(input);
      return { State: await publicAccess.enable(mode, context) };
    },
    DisableSnapshotBlockPublicAccess: async (
      input: ec2.DisableSnapshotBlockPublicAccessRequest,
      context: RequestContext,
    ) => {
      refuseDryRun(input);
      return { State: await publicAccess.disable(context) };
    },
    GetSnapshotBlockPublicAccessState: async (
      input: ec2.GetSnapshotBlockPublicAccessStateRequest,
      context: RequestContext,
    ) => {
      refuseDryRun(input);
      return { State: await publicAccess.get(context), ManagedBy: 'account' as const };
    },
    ListHiddenPublicSnapshots: async ({ accounts }: Hidden['in'], context: RequestContext): Promise<Hidden['out']> => ({
      hiding: await publicAccess.hiding(accounts, context),
    }),
    GetEncryptionDefaults: async (_input: unknown, context: RequestContext): Promise<Defaults> => {
      const keyId = await key.get(context);
      const defaultKmsKeyId = keyId === key.initial ? null : keyId;
      return { encryptionByDefault: await flag.get(context), defaultKmsKeyId };
    },
  }) satisfies RequestHandlers;
