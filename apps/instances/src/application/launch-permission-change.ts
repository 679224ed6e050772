import type { ec2 } from '@holdfast/aws-protocol';
import { type AccountId, AwsError } from '@holdfast/contracts';
import { invalidParameterCombination, invalidParameterValue, refuseParameters } from '@holdfast/ec2';

/** What ModifyImageAttribute asks for about launch permission, in whichever of its two forms. */
export interface LaunchPermissionRequest {
  readonly operation: 'add' | 'remove';
  readonly accounts: readonly AccountId[];
  readonly public: boolean;
}

const MAX_ENTRIES = 500;

type Input = Partial<ec2.ModifyImageAttributeRequest>;

/**
 * `LaunchPermission` with its lists, or `Attribute` with an operation and its users and groups. In the first form both lists
 * may be given: what is removed goes first.
 * @throws AwsError InvalidParameterCombination | InvalidParameterValue | InvalidAMIAttributeItemValue
 */
export const launchPermissionRequests = (input: Input): LaunchPermissionRequest[] => {
  const { LaunchPermission, OperationType, UserIds = [], UserGroups = [], OrganizationArns, OrganizationalUnitArns } = input; // prettier-ignore
  refuseParameters({ OrganizationArns, OrganizationalUnitArns });
  const { Add = [], Remove = [] } = LaunchPermission ?? {};
  if (Add.length > 0 || Remove.length > 0) {
    const both = [request('remove', Remove), request('add', Add)];
    return both.filter(({ accounts, public: isPublic }) => accounts.length > 0 || isPublic);
  }
  if (OperationType === undefined || OperationType === '')
    throw invalidParameterCombination('No operation specified for launchPermission attribute.');
  if (OperationType !== 'add' && OperationType !== 'remove')
    throw invalidParameterValue(`Invalid value '${OperationType}' for operationType. Expected: 'add', 'remove'.`);
  const entries = [...UserIds.map((UserId) => ({ UserId })), ...UserGroups.map((Group) => ({ Group }))];
  if (entries.length === 0) throw invalidParameterCombination('No attributes specified.');
  return [request(OperationType, entries)];
};

const invalidItem = (value: string, item: 'userId' | 'userGroup') =>
  new AwsError({
    code: 'InvalidAMIAttributeItemValue',
    message: `Invalid attribute item value "${value}" for ${item} item type.`,
  });

const request = (
  operation: LaunchPermissionRequest['operation'],
  entries: readonly ec2.LaunchPermission[],
): LaunchPermissionRequest => {
  if (entries.length > MAX_ENTRIES)
    throw invalidParameterValue(`Modification size must not be greater than ${String(MAX_ENTRIES)}.`);
  const accounts: AccountId[] = [];
  let isPublic = false;
  for (const { UserId, Group, OrganizationArn, OrganizationalUnitArn } of entries) {
    refuseParameters({ OrganizationArn, OrganizationalUnitArn });
    if (UserId === undefined && Group === undefined) throw invalidParameterCombination('No attributes specified.');
    if (UserId !== undefined && !/^\d{12}$/.test(UserId)) throw invalidItem(UserId, 'userId');
    if (Group !== undefined && Group !== 'all') throw invalidItem(Group, 'userGroup');
    if (UserId !== undefined) accounts.push(UserId as AccountId);
    isPublic ||= Group !== undefined;
  }
  return { operation, accounts, public: isPublic };
};
