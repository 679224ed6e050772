import type { iam as api } from '@holdfast/aws-protocol';
import { refuse } from '../domain/errors.ts';
import type { ActionsOf } from './action.ts';

const NEVER = 'N/A';

export const accessKeyUses: ActionsOf<api.Operations, 'GetAccessKeyLastUsed'> = {
  GetAccessKeyLastUsed: async (iam, { AccessKeyId: accessKeyId }, { accountId }) => {
    const user = await iam.tables.accessKeyUser(accessKeyId);
    if (user?.accountId !== accountId) return refuse('AccessKeyNotFound', { accessKeyId });
    const use = await iam.keyUses.last(accessKeyId);
    return {
      UserName: user.userName,
      AccessKeyLastUsed:
        use === null
          ? { Region: NEVER, ServiceName: NEVER }
          : { LastUsedDate: use.usedAt, Region: use.region, ServiceName: use.service },
    };
  },
};
