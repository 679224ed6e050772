import type { iam as api } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import { awsManagedPolicies } from '../domain/aws-managed-policies.ts';
import type { ActionsOf } from './action.ts';
import { profileShapes } from './instance-profiles.ts';
import { policyDetail } from './managed-policies.ts';
import type { Iam, IdentityRow } from './ports.ts';
import { listedRole } from './roles.ts';
import { boundaryShape, encodedDocument, pageOf, tagsShape } from './support.ts';
import { listedUser } from './users.ts';

const EVERYTHING = { after: '', limit: 100_000, pathPrefix: '/' };

/** In the order in which they are listed; what AWS manages is listed as far as the account uses it. */
const FILTERS = ['User', 'Group', 'Role', 'LocalManagedPolicy', 'AWSManagedPolicy'] as const;
type Kind = (typeof FILTERS)[number];

interface Item {
  readonly kind: Kind;
  readonly key: string;
  readonly row: IdentityRow | null;
  /** A policy's ARN. */
  readonly arn: string;
}

const IDENTITIES = { User: 'user', Group: 'group', Role: 'role' } as const;

const itemsOf = async (iam: Iam, kind: Kind, accountId: string): Promise<Item[]> => {
  const keyOf = (name: string) => `${String(FILTERS.indexOf(kind))} ${name}`;
  if (kind === 'LocalManagedPolicy') {
    const rows = await iam.tables.policies(accountId, { ...EVERYTHING, onlyAttached: false });
    return rows.map(({ arn }) => ({ kind, key: keyOf(arn), row: null, arn }));
  }
  if (kind === 'AWSManagedPolicy') {
    const uses = await iam.tables.usesOf(accountId, awsManagedPolicies.map(({ arn }) => arn)); // prettier-ignore
    const used = [...uses].filter(([, { attachments, boundaries }]) => attachments + boundaries > 0);
    return used.map(([arn]) => ({ kind, key: keyOf(arn), row: null, arn }));
  }
  const rows = await iam.tables.identities(accountId, IDENTITIES[kind], EVERYTHING);
  return rows.map((row) => ({ kind, key: keyOf(row.lowerName), row, arn: row.arn }));
};

/** Policies of these identities, inline and attached, by id. */
const policiesOf = async (iam: Iam, ids: readonly string[]) => {
  const [inline, attached] = await Promise.all([iam.tables.inlinePolicies(ids), iam.tables.attachedPolicies(ids)]);
  return (id: string) => ({
    inline: inline
      .filter(({ identityId }) => identityId === id)
      .map(({ policyName, document }) => ({ PolicyName: policyName, PolicyDocument: encodedDocument(document) })),
    AttachedManagedPolicies: attached
      .filter(({ identityId }) => identityId === id)
      .map(({ arn }) => ({ PolicyName: arn.slice(arn.lastIndexOf('/') + 1), PolicyArn: arn })),
  });
};

const details = async (iam: Iam, items: readonly Item[], context: RequestContext) => {
  const rowsOf = (wanted: Kind) => items.flatMap(({ kind, row }) => (kind === wanted && row !== null ? [row] : []));
  const of = await policiesOf(iam, items.flatMap(({ row }) => (row === null ? [] : [row.id]))); // prettier-ignore
  const user = async (row: IdentityRow): Promise<api.UserDetail> => {
    const { inline: UserPolicyList, ...attached } = of(row.id);
    const GroupList = (await iam.tables.groupsOf(row.id)).map(({ name }) => name);
    const rest = { ...boundaryShape(row.permissionsBoundary), ...tagsShape(row.tags) };
    return { ...listedUser(row), UserPolicyList, GroupList, ...attached, ...rest };
  };
  const group = (row: IdentityRow): api.GroupDetail => {
    const { inline: GroupPolicyList, ...attached } = of(row.id);
    const whose = { Path: row.path, GroupName: row.name, GroupId: row.id, Arn: row.arn, CreateDate: row.createdAt };
    return { ...whose, GroupPolicyList, ...attached };
  };
  const role = async (row: IdentityRow): Promise<api.RoleDetail> => {
    const { inline: RolePolicyList, ...attached } = of(row.id);
    const { MaxSessionDuration: _, Description: __, ...shown } = await listedRole(iam, row);
    const InstanceProfileList = await profileShapes(iam, await iam.tables.profilesOf(row.id));
    const rest = { ...boundaryShape(row.permissionsBoundary), ...tagsShape(row.tags) };
    return { ...shown, InstanceProfileList, RolePolicyList, ...attached, ...rest };
  };
  const policies = items.filter(({ row }) => row === null);
  return {
    UserDetailList: await Promise.all(rowsOf('User').map(user)),
    GroupDetailList: rowsOf('Group').map(group),
    RoleDetailList: await Promise.all(rowsOf('Role').map(role)),
    Policies: await Promise.all(policies.map(({ arn }) => policyDetail(iam, arn, context))),
  };
};

export const accountAuthorizationDetails: ActionsOf<api.Operations, 'GetAccountAuthorizationDetails'> = {
  GetAccountAuthorizationDetails: async (iam, { Filter = [], ...request }, context) => {
    const wanted = FILTERS.filter((kind) => Filter.length === 0 || Filter.includes(kind));
    const items = (await Promise.all(wanted.map((kind) => itemsOf(iam, kind, context.accountId)))).flat();
    const { rows, end } = await pageOf(iam, context, ['details', ...wanted], request, items, ({ key }) => key);
    return { ...(await details(iam, rows, context)), ...end };
  },
};
