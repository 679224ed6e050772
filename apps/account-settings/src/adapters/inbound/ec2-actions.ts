import type { ec2 } from '@holdfast/aws-protocol';
import type { InternalRequests, RequestContext } from '@holdfast/contracts';
import { dryRunOperation, invalidParameterValue, missingParameter } from '@holdfast/ec2';
import type { RequestHandlers } from '@holdfast/messaging';
import type { DefaultKmsKey } from '../../application/default-kms-key.ts';
import type { EncryptionByDefault } from '../../application/encryption-by-default.ts';

type Defaults = InternalRequests['account-settings']['GetEncryptionDefaults']['out'];

const refuseDryRun = ({ DryRun }: { DryRun?: boolean }) => {
  if (DryRun === true) throw dryRunOperation();
};

const checkedKeyId = (keyId: string | undefined): string => {
  if (keyId === undefined) throw missingParameter('KmsKeyId');
  if (keyId === '') throw invalidParameterValue('The specified keyId  is invalid');
  return keyId;
};

/** The six EBS encryption settings actions, and what the other services ask. */
export const ec2Actions = (flag: EncryptionByDefault, key: DefaultKmsKey) =>
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
    GetEncryptionDefaults: async (_input: unknown, context: RequestContext): Promise<Defaults> => {
      const keyId = await key.get(context);
      const defaultKmsKeyId = keyId === key.initial ? null : keyId;
      return { encryptionByDefault: await flag.get(context), defaultKmsKeyId };
    },
  }) satisfies RequestHandlers;
