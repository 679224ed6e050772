import type { ec2 } from '@holdfast/aws-protocol';
import type { AccountId } from '@holdfast/contracts';
import { invalidParameterCombination, invalidParameterValue } from '@holdfast/ec2';
import { refusal } from './refusals.ts';

/** What ModifySnapshotAttribute asks for, in whichever of its two forms. */
export interface PermissionChange {
  readonly operation: 'add' | 'remove';
  readonly accounts: readonly AccountId[];
  readonly public: boolean;
}

const MAX_ENTRIES = 500;
const ACCOUNT = /^\d{12}$/;

type Form = 'list' | 'legacy';
type Input = Omit<Partial<ec2.ModifySnapshotAttributeRequest>, 'SnapshotId' | 'DryRun'>;

/**
 * `CreateVolumePermission` with a list, or `Attribute` with an operation and its users and groups.
 * @throws AwsError InvalidParameterCombination | InvalidParameterValue
 * @throws DomainError AttributeMissing | PermissionEntryInvalid
 */
export const parsePermissionChange = (input: Input): PermissionChange => {
  const { Attribute, CreateVolumePermission: lists, OperationType, UserIds = [], GroupNames = [] } = input;
  if (Attribute === '') throw refusal('AttributeMissing');
  if (Attribute !== undefined && Attribute !== 'createVolumePermission')
    throw invalidParameterValue('Unrecognized attribute.');
  const { Add = [], Remove = [] } = lists ?? {};
  if (Add.length > 0 && Remove.length > 0)
    throw invalidParameterCombination('One and only one operation type may be specified for createVolumePermissions');
  if (Add.length > 0) return change('add', Add, 'list');
  if (Remove.length > 0) return change('remove', Remove, 'list');
  if (Attribute === undefined) throw invalidParameterCombination('No attributes specified.');
  if (OperationType === undefined || OperationType === '')
    throw invalidParameterCombination('No operation specified for createVolumePermission attribute.');
  if (OperationType !== 'add' && OperationType !== 'remove')
    throw invalidParameterValue(`Invalid value '${OperationType}' for operationType. Expected: 'add', 'remove'.`);
  const entries = [...UserIds.map((UserId) => ({ UserId })), ...GroupNames.map((Group) => ({ Group }))];
  if (entries.length === 0) throw invalidParameterCombination('No attributes specified.');
  return change(OperationType, entries, 'legacy');
};

const change = (
  operation: PermissionChange['operation'],
  entries: readonly ec2.CreateVolumePermission[],
  form: Form,
): PermissionChange => {
  if (entries.length > MAX_ENTRIES)
    throw invalidParameterValue(`Modification size must not be greater than ${String(MAX_ENTRIES)}.`);
  const accounts: AccountId[] = [];
  let isPublic = false;
  for (const { UserId, Group } of entries) {
    if (UserId === undefined && Group === undefined) throw invalidParameterCombination('No attributes specified.');
    if (UserId !== undefined && !ACCOUNT.test(UserId))
      throw refusal('PermissionEntryInvalid', {
        entry: form === 'list' ? `UserId ${UserId}` : `UserId (${UserId}) is invalid.`,
      });
    if (Group !== undefined && Group !== 'all')
      throw refusal('PermissionEntryInvalid', { entry: `UserGroup ${Group}` });
    if (UserId !== undefined) accounts.push(UserId as AccountId);
    isPublic ||= Group !== undefined;
  }
  return { operation, accounts, public: isPublic };
};
