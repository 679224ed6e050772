import { randomUUID } from 'node:crypto';
import type { iam as api } from '@holdfast/aws-protocol';
import { AwsError, type RequestContext } from '@holdfast/contracts';
import { newId } from '../domain/ids.ts';
import { SERVICE_ROLE_PATH } from '../domain/quotas.ts';
import type { ActionsOf } from './action.ts';
import type { Iam } from './ports.ts';
import { roleOf } from './roles.ts';
import { change, existingRow, tagsOf } from './support.ts';

/** What follows `AWSServiceRoleFor` in the role's name. @see IAM user guide, AWS services that work with IAM */
const ROLE_NAMES: Readonly<Record<string, string>> = {
  'autoscaling.amazonaws.com': 'AutoScaling',
  'backup.amazonaws.com': 'Backup',
  'dlm.amazonaws.com': 'DataLifecycleManager',
  'ec2fleet.amazonaws.com': 'EC2Fleet',
  'ecs.amazonaws.com': 'ECS',
  'eks.amazonaws.com': 'AmazonEKS',
  'elasticloadbalancing.amazonaws.com': 'ElasticLoadBalancing',
  'rds.amazonaws.com': 'RDS',
  'spot.amazonaws.com': 'EC2Spot',
  'spotfleet.amazonaws.com': 'EC2SpotFleet',
};

const invalidInput = (message: string) => new AwsError({ code: 'InvalidInput', message });

const createServiceLinkedRole = async (
  iam: Iam,
  input: api.CreateServiceLinkedRoleRequest,
  context: RequestContext,
) => {
  const { AWSServiceName: service, Description: description = null, CustomSuffix: suffix } = input;
  const stem = Object.hasOwn(ROLE_NAMES, service) ? ROLE_NAMES[service] : undefined;
  if (stem === undefined) throw invalidInput(`Service role policy not found for ${service}.`);
  const name = `AWSServiceRoleFor${stem}${suffix === undefined ? '' : `_${suffix}`}`;
  if ((await iam.tables.identity(context.accountId, 'role', name)) !== null) {
    const advice = 'please try a different suffix.';
    throw invalidInput(`Service role name ${name} has been taken in this account, ${advice}`);
  }
  const trust = { Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' };
  await change(iam, context, {
    ...{ type: 'CreateRole', roleId: newId('role'), name, path: `${SERVICE_ROLE_PATH}${service}/` },
    ...{ document: JSON.stringify({ Version: '2012-10-17', Statement: [trust] }), principalIds: {} },
    ...{ description, maxSessionDurationSeconds: 3600, tags: tagsOf(undefined), boundary: null },
  });
  return { Role: await roleOf(iam, await existingRow(iam, context, 'role', name)) };
};

const TASK = /^task\/aws-service-role\/[^/]+\/([\w+=,.@-]+)\/[0-9a-f-]{36}$/;

export const serviceLinkedRoles: ActionsOf<
  api.Operations,
  'CreateServiceLinkedRole' | 'DeleteServiceLinkedRole' | 'GetServiceLinkedRoleDeletionStatus'
> = {
  CreateServiceLinkedRole: createServiceLinkedRole,
  /** Done when it answers: no service of Holdfast works through such a role, so none has to be asked. */
  DeleteServiceLinkedRole: async (iam, { RoleName: name }, context) => {
    const role = await existingRow(iam, context, 'role', name);
    if (!role.path.startsWith(SERVICE_ROLE_PATH)) throw invalidInput(`The role ${name} is not a service-linked role.`);
    await change(iam, context, { type: 'DeleteRole', name, byService: true });
    const service = role.path.slice(SERVICE_ROLE_PATH.length, -1);
    return { DeletionTaskId: `task${SERVICE_ROLE_PATH}${service}/${role.name}/${randomUUID()}` };
  },
  GetServiceLinkedRoleDeletionStatus: (_iam, { DeletionTaskId }) => {
    if (!TASK.test(DeletionTaskId)) throw invalidInput(`The deletion task ${DeletionTaskId} is not valid.`);
    return Promise.resolve({ Status: 'SUCCEEDED' });
  },
};
