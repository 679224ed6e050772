import type { iam as api } from '@holdfast/aws-protocol';
import { callerOf, type RequestContext } from '@holdfast/contracts';
import { iamArn } from '../domain/arns.ts';
import { type AwsManagedPolicy, awsManagedPolicies, awsManagedPolicy } from '../domain/aws-managed-policies.ts';
import { refuse } from '../domain/errors.ts';
import { newId } from '../domain/ids.ts';
import type { ActionsOf } from './action.ts';
import type { Iam, ManagedPolicyRow, PolicyVersionRow } from './ports.ts';
import { change, checkDocument, checkPolicyArn, encodedDocument, page, pageOf, tagsOf, tagsShape } from './support.ts';

/** AWS's policies are as old as the service. */
const AWS_POLICIES_SINCE = '2015-02-06T18:39:46.000Z';

/** As lists show it: without description and tags. */
const listedPolicy = (row: ManagedPolicyRow): api.Policy => ({
  ...{ PolicyName: row.name, PolicyId: row.policyId, Arn: row.arn, Path: row.path },
  DefaultVersionId: row.defaultVersion,
  AttachmentCount: row.attachments,
  PermissionsBoundaryUsageCount: row.boundaries,
  IsAttachable: true,
  CreateDate: row.createdAt,
  UpdateDate: row.updatedAt,
});

const policyShape = (row: ManagedPolicyRow): api.Policy => ({
  ...listedPolicy(row),
  ...(row.description === null ? {} : { Description: row.description }),
  ...tagsShape(row.tags),
});

type Uses = Awaited<ReturnType<Iam['tables']['usesOf']>>;

const awsRow = (policy: AwsManagedPolicy, arn: string, uses: Uses): ManagedPolicyRow => ({
  ...{ arn, policyId: policy.policyId, name: policy.name, lowerName: policy.name.toLowerCase(), path: policy.path },
  ...{ description: policy.description, defaultVersion: policy.versionId, tags: {} },
  ...{ createdAt: AWS_POLICIES_SINCE, updatedAt: AWS_POLICIES_SINCE },
  ...(uses.get(arn) ?? { attachments: 0, boundaries: 0 }),
});

/** One of AWS's, or of the caller's account. @throws DomainError PolicyNotFound */
const policyRow = async (iam: Iam, arn: string, { accountId }: RequestContext): Promise<ManagedPolicyRow> => {
  const policy = awsManagedPolicy(checkPolicyArn(arn));
  if (policy !== null) return awsRow(policy, arn, await iam.tables.usesOf(accountId, [arn]));
  const row = arn.startsWith(`arn:aws:iam::${accountId}:`) ? await iam.tables.policy(arn) : null;
  return row ?? refuse('PolicyNotFound', { arn });
};

const versionsOf = async (iam: Iam, arn: string): Promise<PolicyVersionRow[]> => {
  const policy = awsManagedPolicy(arn);
  if (policy === null) return iam.tables.versions(arn);
  return [{ versionId: policy.versionId, document: policy.document, createdAt: AWS_POLICIES_SINCE }];
};

const listedVersion = ({ versionId, createdAt }: PolicyVersionRow, defaultVersion: string): api.PolicyVersion => ({
  ...{ VersionId: versionId, IsDefaultVersion: versionId === defaultVersion, CreateDate: createdAt },
});

/** With every version and its document, as GetAccountAuthorizationDetails shows it. */
export const policyDetail = async (
  iam: Iam,
  arn: string,
  context: RequestContext,
): Promise<api.ManagedPolicyDetail> => {
  const row = await policyRow(iam, arn, context);
  const versions = await versionsOf(iam, arn);
  return {
    ...listedPolicy(row),
    ...(row.description === null ? {} : { Description: row.description }),
    PolicyVersionList: versions.map((version) => ({
      ...listedVersion(version, row.defaultVersion),
      Document: encodedDocument(version.document),
    })),
  };
};

const createPolicy = async (iam: Iam, input: api.CreatePolicyRequest, context: RequestContext) => {
  const { PolicyName: name, Path: path = '/', PolicyDocument: document } = input;
  checkDocument(document, 'managed');
  const policyArn = iamArn(context.accountId, 'policy', path, name);
  await change(iam, context, {
    ...{ type: 'CreatePolicy', policyId: newId('policy'), policyArn, name, path, document },
    ...{ description: input.Description ?? null, tags: tagsOf(input.Tags) },
  });
  return { Policy: policyShape(await policyRow(iam, policyArn, context)) };
};

const createPolicyVersion = async (iam: Iam, input: api.CreatePolicyVersionRequest, context: RequestContext) => {
  const { PolicyArn: policyArn, PolicyDocument: document, SetAsDefault: setAsDefault = false } = input;
  await policyRow(iam, policyArn, context);
  checkDocument(document, 'managed');
  const at = iam.clock.instant();
  const addressed = { type: 'CreatePolicyVersion', accountId: context.accountId, at } as const;
  const [event] = await iam.accounts.handle({ ...addressed, policyArn, document, setAsDefault }, callerOf(context));
  if (event?.type !== 'PolicyVersionCreated') throw new Error(`no version of ${policyArn} came of it`);
  return { PolicyVersion: { VersionId: event.versionId, IsDefaultVersion: event.isDefault, CreateDate: event.at } };
};

/** Lists say what AWS's policies are first; within each kind by name. */
const listPolicies = async (iam: Iam, input: api.ListPoliciesRequest, context: RequestContext) => {
  const { Scope = 'All', OnlyAttached: onlyAttached = false, PathPrefix: pathPrefix = '/', PolicyUsageFilter } = input;
  const isWanted = ({ attachments, boundaries }: ManagedPolicyRow) =>
    (!onlyAttached || attachments + boundaries > 0) &&
    (PolicyUsageFilter !== 'PermissionsPolicy' || attachments > 0) &&
    (PolicyUsageFilter !== 'PermissionsBoundary' || boundaries > 0);
  const keyOf = ({ arn, lowerName }: ManagedPolicyRow) => (awsManagedPolicy(arn) === null ? '1' : '0') + lowerName;
  const read = async (after: string, limit: number) => {
    const uses = await iam.tables.usesOf(context.accountId, awsManagedPolicies.map(({ arn }) => arn)); // prettier-ignore
    const aws = awsManagedPolicies
      .map((policy) => awsRow(policy, policy.arn, uses))
      .filter((row) => Scope !== 'Local' && keyOf(row) > after && row.path.startsWith(pathPrefix) && isWanted(row))
      .sort((a, b) => (a.lowerName < b.lowerName ? -1 : 1));
    const part = { after: after.startsWith('1') ? after.slice(1) : '', limit, pathPrefix, onlyAttached: false };
    const own = Scope === 'AWS' ? [] : await iam.tables.policies(context.accountId, part);
    return [...aws, ...own].slice(0, limit);
  };
  const { rows, end } = await page(iam, context, ['policies', Scope, pathPrefix], input, read, keyOf);
  // A page may be shorter than asked for, as AWS's may: what is not wanted is left out after the page was read.
  return { Policies: rows.filter(isWanted).map(listedPolicy), ...end };
};

const listEntities = async (iam: Iam, input: api.ListEntitiesForPolicyRequest, context: RequestContext) => {
  const { PolicyArn: arn, EntityFilter, PathPrefix: pathPrefix = '/', PolicyUsageFilter } = input;
  await policyRow(iam, arn, context);
  const all = await iam.tables.entitiesWith(context.accountId, arn);
  const wanted = all.filter(
    ({ kind, path, isBoundary }) =>
      (EntityFilter === undefined || EntityFilter.toLowerCase() === kind) &&
      path.startsWith(pathPrefix) &&
      (PolicyUsageFilter === undefined || isBoundary === (PolicyUsageFilter === 'PermissionsBoundary')),
  );
  const unique = [...new Map(wanted.map((entity) => [entity.id, entity])).values()];
  const { rows, end } = await pageOf(iam, context, ['entities', arn], input, unique, (row) => row.kind + row.id);
  const of = (wantedKind: string) => rows.filter(({ kind }) => kind === wantedKind);
  return {
    PolicyGroups: of('group').map(({ name, id }) => ({ GroupName: name, GroupId: id })),
    PolicyUsers: of('user').map(({ name, id }) => ({ UserName: name, UserId: id })),
    PolicyRoles: of('role').map(({ name, id }) => ({ RoleName: name, RoleId: id })),
    ...end,
  };
};

export const managedPolicies: ActionsOf<
  api.Operations,
  | 'CreatePolicy'
  | 'GetPolicy'
  | 'ListPolicies'
  | 'DeletePolicy'
  | 'CreatePolicyVersion'
  | 'GetPolicyVersion'
  | 'ListPolicyVersions'
  | 'SetDefaultPolicyVersion'
  | 'DeletePolicyVersion'
  | 'ListEntitiesForPolicy'
> = {
  CreatePolicy: createPolicy,
  GetPolicy: async (iam, { PolicyArn }, context) => ({ Policy: policyShape(await policyRow(iam, PolicyArn, context)) }),
  ListPolicies: listPolicies,
  DeletePolicy: (iam, { PolicyArn }, context) =>
    change(iam, context, { type: 'DeletePolicy', policyArn: checkPolicyArn(PolicyArn) }),
  CreatePolicyVersion: createPolicyVersion,
  GetPolicyVersion: async (iam, { PolicyArn: arn, VersionId: versionId }, context) => {
    const { defaultVersion } = await policyRow(iam, arn, context);
    const found = (await versionsOf(iam, arn)).find((version) => version.versionId === versionId);
    if (found === undefined) return refuse('PolicyVersionNotFound', { arn, versionId });
    return { PolicyVersion: { ...listedVersion(found, defaultVersion), Document: encodedDocument(found.document) } };
  },
  ListPolicyVersions: async (iam, { PolicyArn: arn, ...request }, context) => {
    const { defaultVersion } = await policyRow(iam, arn, context);
    const versions = (await versionsOf(iam, arn)).map((version, index) => ({ ...version, index }));
    const keyOf = ({ index }: { index: number }) => String(index);
    const { rows, end } = await pageOf(iam, context, ['versions', arn], request, versions, keyOf);
    return { Versions: rows.map((version) => listedVersion(version, defaultVersion)), ...end };
  },
  SetDefaultPolicyVersion: (iam, { PolicyArn, VersionId: versionId }, context) =>
    change(iam, context, { type: 'SetDefaultPolicyVersion', policyArn: checkPolicyArn(PolicyArn), versionId }),
  DeletePolicyVersion: (iam, { PolicyArn, VersionId: versionId }, context) =>
    change(iam, context, { type: 'DeletePolicyVersion', policyArn: checkPolicyArn(PolicyArn), versionId }),
  ListEntitiesForPolicy: listEntities,
};
