import type { InstanceId, RequestContext } from '@holdfast/contracts';
import { missingParameter } from '@holdfast/ec2';
import { checkedIdsExist, checkInstanceIds } from './instance-ids.ts';
import type { InstanceRow, InstanceTable } from './ports.ts';

/** The caller's instance in the caller's Region. @throws AwsError InvalidInstanceID.… */
export const ownInstance = async (
  instances: InstanceTable,
  id: string | undefined,
  { accountId, region }: RequestContext,
): Promise<InstanceRow> => {
  if (id === undefined || id === '') throw missingParameter('InstanceId');
  checkInstanceIds([id]);
  const row = await instances.byId(id as InstanceId);
  const found = row?.accountId === accountId && row.region === region ? row : null;
  checkedIdsExist([id], found === null ? [] : [found]);
  if (found === null) throw new Error('an instance that exists has no row');
  return found;
};
