import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, callerOf, newProfileAssociationId, type RequestContext } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import { missingParameter, type PageTokens, refuseParameters } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import type { DatedProfileAssociation } from '../domain/instance-profile.ts';
import type { InstanceCommand } from '../domain/instance.decider.ts';
import { incorrectState, notRunning } from './instance-refusals.ts';
import { type ListRules, listPage } from './network-lists.ts';
import { ownInstance } from './own-instance.ts';
import type { InstanceRow, InstanceStreams, InstanceTable } from './ports.ts';
import { requiredProfile } from './requested-profile.ts';

const MOST_INSTANCES = 10_000;
const LIVING = ['pending', 'running', 'stopping', 'stopped', 'shutting-down'];

type Associated = InstanceRow & { instanceProfile: DatedProfileAssociation };
type Command = Extract<InstanceCommand, { type: 'AssociateProfile' | 'DisassociateProfile' }>;

const isAssociated = (row: InstanceRow): row is Associated => row.instanceProfile !== null;

const notFound = (id: string): [code: string, message: string] => [
  'InvalidAssociationID.NotFound',
  `An invalid association-id of '${id}' was given`,
];

const RULES: ListRules<Associated> = {
  action: 'DescribeIamInstanceProfileAssociations',
  idOf: ({ instanceProfile }) => instanceProfile.associationId,
  idsParameter: 'associationIds',
  notFound: [notFound('')[0], (id) => notFound(id)[1]],
  filters: { 'instance-id': ({ instanceId }) => [instanceId], state: () => ['associated'] },
  taggable: false,
};

const described = (
  { instanceId }: Pick<InstanceRow, 'instanceId'>,
  { associationId, arn, id, at }: DatedProfileAssociation,
  State: ec2.IamInstanceProfileAssociationState,
): ec2.IamInstanceProfileAssociation => ({
  AssociationId: associationId,
  InstanceId: instanceId,
  IamInstanceProfile: { Arn: arn, Id: id },
  State,
  Timestamp: at,
});

/** Which instance profile an instance has. Each change is in force when it is answered, with the state that EC2 begins with. */
export class ProfileAssociations {
  constructor(
    private readonly streams: InstanceStreams,
    private readonly instances: InstanceTable,
    private readonly tokens: PageTokens,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async associate(
    { InstanceId, IamInstanceProfile, ...rest }: Partial<ec2.AssociateIamInstanceProfileRequest>,
    context: RequestContext,
  ): Promise<ec2.AssociateIamInstanceProfileResult> {
    refuseParameters({ ...rest });
    const row = await ownInstance(this.instances, InstanceId, context);
    const profile = await requiredProfile(this.requests, IamInstanceProfile, context);
    if (row.state !== 'running' && row.state !== 'stopped') throw incorrectState(row.instanceId, 'modified');
    return this.begin(row, profile, null, context);
  }

  /** Of a running instance, as on AWS; one that is stopped loses its profile and gets another. */
  async replace(
    { AssociationId, IamInstanceProfile, ...rest }: Partial<ec2.ReplaceIamInstanceProfileAssociationRequest>,
    context: RequestContext,
  ): Promise<ec2.ReplaceIamInstanceProfileAssociationResult> {
    refuseParameters({ ...rest });
    const row = await this.existing(AssociationId, context);
    const profile = await requiredProfile(this.requests, IamInstanceProfile, context);
    if (row.state !== 'running') throw notRunning(row.instanceId);
    return this.begin(row, profile, row.instanceProfile.associationId, context);
  }

  async disassociate(
    { AssociationId, ...rest }: Partial<ec2.DisassociateIamInstanceProfileRequest>,
    context: RequestContext,
  ): Promise<ec2.DisassociateIamInstanceProfileResult> {
    refuseParameters({ ...rest });
    const row = await this.existing(AssociationId, context);
    const { instanceId, instanceProfile } = row;
    const { associationId } = instanceProfile;
    await this.handle({ type: 'DisassociateProfile', instanceId, associationId, at: this.clock.instant() }, context);
    return { IamInstanceProfileAssociation: described(row, instanceProfile, 'disassociating') };
  }

  async describe(
    input: ec2.DescribeIamInstanceProfileAssociationsRequest,
    context: RequestContext,
  ): Promise<ec2.DescribeIamInstanceProfileAssociationsResult> {
    const { AssociationIds: ids = [], Filters, MaxResults, NextToken, ...others } = input;
    const { items, nextToken } = listPage(
      await this.all(context),
      { ids, request: { Filters, MaxResults, NextToken }, others },
      RULES,
      (row) => described(row, row.instanceProfile, 'associated'),
      { tokens: this.tokens, context },
    );
    return { IamInstanceProfileAssociations: items, NextToken: nextToken };
  }

  private async begin(
    { instanceId }: InstanceRow,
    profile: { arn: string; id: string },
    replaces: string | null,
    context: RequestContext,
  ): Promise<{ IamInstanceProfileAssociation: ec2.IamInstanceProfileAssociation }> {
    const instanceProfile = { associationId: newProfileAssociationId(), ...profile };
    const at = this.clock.instant();
    await this.handle({ type: 'AssociateProfile', instanceId, instanceProfile, replaces, at }, context);
    return { IamInstanceProfileAssociation: described({ instanceId }, { ...instanceProfile, at }, 'associating') };
  }

  private async handle(command: Command, context: RequestContext): Promise<void> {
    await this.streams.handle(command, callerOf(context)).catch((error: unknown) => {
      throw refusal(error, command);
    });
  }

  private async existing(id: string | undefined, context: RequestContext): Promise<Associated> {
    if (id === undefined || id === '') throw missingParameter('AssociationId');
    const found = (await this.all(context)).find(({ instanceProfile }) => instanceProfile.associationId === id);
    if (found === undefined) throw associationNotFound(id);
    return found;
  }

  /** Of instances that have not ended. */
  private async all({ accountId, region }: RequestContext): Promise<Associated[]> {
    const filters = [
      { Name: 'instance-state-name', Values: LIVING },
      { Name: 'iam-instance-profile.arn', Values: ['*'] },
    ];
    const everything = { instanceIds: [], after: null, limit: MOST_INSTANCES, terminatedAfter: new Date(0) };
    return (await this.instances.find({ accountId, region, filters, ...everything })).filter(isAssociated);
  }
}

const associationNotFound = (id: string) => {
  const [code, message] = notFound(id);
  return new AwsError({ code, message });
};

/** Somebody else changed the instance since it was looked at. */
const refusal = (error: unknown, command: Command): unknown => {
  if (!(error instanceof DomainError)) return error;
  const { instanceId } = command;
  if (error.code === 'InstanceEnding') return incorrectState(instanceId, 'modified');
  if (error.code === 'ProfileAlreadyAssociated')
    return new AwsError({
      code: 'IncorrectState',
      message: `There is an existing association for instance ${instanceId}`,
    });
  if (error.code !== 'ProfileNotAssociated') return error;
  const id = command.type === 'DisassociateProfile' ? command.associationId : command.replaces;
  return associationNotFound(id ?? '');
};
