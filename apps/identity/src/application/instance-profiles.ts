import type { iam as api } from '@holdfast/aws-protocol';
import { newId } from '../domain/ids.ts';
import type { ActionsOf } from './action.ts';
import type { Iam, IdentityRow } from './ports.ts';
import { listedRole } from './roles.ts';
import { change, existingRow, page, pageOf, tagsOf, tagsShape } from './support.ts';

export const profileShapes = async (iam: Iam, rows: readonly IdentityRow[]): Promise<api.InstanceProfile[]> => {
  const found = await iam.tables.roleOfProfiles(rows.map(({ id }) => id));
  return Promise.all(
    rows.map(async ({ path, name, id, arn, createdAt, tags }) => ({
      ...{ Path: path, InstanceProfileName: name, InstanceProfileId: id, Arn: arn, CreateDate: createdAt },
      Roles: await Promise.all(
        found.filter(({ instanceProfileId }) => instanceProfileId === id).map((row) => listedRole(iam, row)),
      ),
      ...tagsShape(tags),
    })),
  );
};

const profileShape = async (iam: Iam, row: IdentityRow): Promise<api.InstanceProfile> => {
  const [shape] = await profileShapes(iam, [row]);
  if (shape === undefined) throw new Error(`no shape of ${row.arn}`);
  return shape;
};

export const instanceProfiles: ActionsOf<
  api.Operations,
  | 'CreateInstanceProfile'
  | 'GetInstanceProfile'
  | 'ListInstanceProfiles'
  | 'ListInstanceProfilesForRole'
  | 'DeleteInstanceProfile'
  | 'AddRoleToInstanceProfile'
  | 'RemoveRoleFromInstanceProfile'
> = {
  CreateInstanceProfile: async (iam, { InstanceProfileName: name, Path: path = '/', Tags }, context) => {
    const instanceProfileId = newId('instance-profile');
    await change(iam, context, { type: 'CreateInstanceProfile', instanceProfileId, name, path, tags: tagsOf(Tags) });
    return { InstanceProfile: await profileShape(iam, await existingRow(iam, context, 'instance-profile', name)) };
  },
  GetInstanceProfile: async (iam, { InstanceProfileName: name }, context) => ({
    InstanceProfile: await profileShape(iam, await existingRow(iam, context, 'instance-profile', name)),
  }),
  ListInstanceProfiles: async (iam, { PathPrefix: pathPrefix = '/', ...request }, context) => {
    const read = (after: string, limit: number) =>
      iam.tables.identities(context.accountId, 'instance-profile', { after, limit, pathPrefix });
    const { rows, end } = await page(iam, context, ['profiles', pathPrefix], request, read, (row) => row.lowerName);
    return { InstanceProfiles: await profileShapes(iam, rows), ...end };
  },
  ListInstanceProfilesForRole: async (iam, { RoleName: name, ...request }, context) => {
    const role = await existingRow(iam, context, 'role', name);
    const found = await iam.tables.profilesOf(role.id);
    const { rows, end } = await pageOf(iam, context, ['profiles-of', role.id], request, found, (row) => row.lowerName);
    return { InstanceProfiles: await profileShapes(iam, rows), ...end };
  },
  DeleteInstanceProfile: (iam, { InstanceProfileName: name }, context) =>
    change(iam, context, { type: 'DeleteInstanceProfile', name }),
  AddRoleToInstanceProfile: (iam, { InstanceProfileName: name, RoleName: roleName }, context) =>
    change(iam, context, { type: 'AddRoleToInstanceProfile', name, roleName }),
  RemoveRoleFromInstanceProfile: (iam, { InstanceProfileName: name, RoleName: roleName }, context) =>
    change(iam, context, { type: 'RemoveRoleFromInstanceProfile', name, roleName }),
};
