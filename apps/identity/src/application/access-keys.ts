import type { iam as api } from '@holdfast/aws-protocol';
import { AwsError, type RequestContext } from '@holdfast/contracts';
import { newId, newSecretAccessKey } from '../domain/ids.ts';
import type { ActionsOf } from './action.ts';
import type { Iam } from './ports.ts';
import { sealOutput } from './sealed-outputs.ts';
import { change, existingRow, pageOf, userNameOf } from './support.ts';

/** The secret is stored, encrypted, before the key exists, and shown once. */
const createAccessKey = async (iam: Iam, input: api.CreateAccessKeyRequest, context: RequestContext) => {
  const userName = await userNameOf(iam, input.UserName, context);
  const user = await existingRow(iam, context, 'user', userName);
  const accessKeyId = newId('accessKey');
  const secret = Buffer.from(newSecretAccessKey(), 'utf8');
  try {
    const SecretAccessKey = await sealOutput('CreateAccessKey', secret.toString('utf8'), context);
    await iam.keySecrets.store(accessKeyId, secret);
    try {
      await change(iam, context, { type: 'CreateAccessKey', userName, accessKeyId });
    } catch (error) {
      await iam.keySecrets.discard(accessKeyId);
      throw error;
    }
    const created = (await iam.tables.accessKeys(user.id)).find((key) => key.accessKeyId === accessKeyId);
    const Status = 'Active' as const;
    const AccessKey = { UserName: user.name, AccessKeyId: accessKeyId, Status, SecretAccessKey };
    return { AccessKey: { ...AccessKey, ...(created === undefined ? {} : { CreateDate: created.createdAt }) } };
  } finally {
    secret.fill(0);
  }
};

const checkStatus = (status: api.StatusType): boolean => {
  if (status !== 'Expired') return status === 'Active';
  throw new AwsError({ code: 'ValidationError', message: 'The status of an access key can be Active or Inactive.' });
};

export const accessKeys: ActionsOf<
  api.Operations,
  'CreateAccessKey' | 'ListAccessKeys' | 'UpdateAccessKey' | 'DeleteAccessKey'
> = {
  CreateAccessKey: createAccessKey,
  ListAccessKeys: async (iam, { UserName, ...request }, context) => {
    // The root user's keys are the deployment's, and none of IAM's.
    if (UserName === undefined && context.principal.type === 'Root') {
      return { AccessKeyMetadata: [], IsTruncated: false };
    }
    const user = await existingRow(iam, context, 'user', await userNameOf(iam, UserName, context));
    const keys = await iam.tables.accessKeys(user.id);
    const { rows, end } = await pageOf(iam, context, ['keys', user.id], request, keys, (row) => row.createdAt + row.accessKeyId); // prettier-ignore
    const AccessKeyMetadata = rows.map(({ accessKeyId, isActive, createdAt }) => ({
      ...{ UserName: user.name, AccessKeyId: accessKeyId, CreateDate: createdAt },
      Status: isActive ? ('Active' as const) : ('Inactive' as const),
    }));
    return { AccessKeyMetadata, ...end };
  },
  UpdateAccessKey: async (iam, { UserName, AccessKeyId: accessKeyId, Status }, context) => {
    const userName = await userNameOf(iam, UserName, context);
    return change(iam, context, { type: 'UpdateAccessKey', userName, accessKeyId, isActive: checkStatus(Status) });
  },
  DeleteAccessKey: async (iam, { UserName, AccessKeyId: accessKeyId }, context) => {
    const userName = await userNameOf(iam, UserName, context);
    return change(iam, context, { type: 'DeleteAccessKey', userName, accessKeyId });
  },
};
