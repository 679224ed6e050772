import { type CallerPolicies, type CallerPoliciesCache, type DecisionLog, decisionRecord } from '@holdfast/access';
import { accessDenied, type ec2, type ParsedRequest } from '@holdfast/aws-protocol';
import { AwsError, MAX_AUTHORIZATION_MESSAGE_BYTES, type RequestContext } from '@holdfast/contracts';
import {
  type AccessQuestion,
  authorizationMessageText,
  type Decision,
  denialMessage,
  ebsDenialMessage,
  ec2DenialMessage,
  evaluateEach,
  principalOf,
} from '@holdfast/iam';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { tagOwner } from '../aws/tags.ts';
import type { AccessTarget, ImageVolume, KeyPairFacts, ResourceFacts } from './access-target.ts';
import { ebsTargets, type SnapshotFacts } from './ebs-targets.ts';
import { ec2Targets } from './ec2-targets.ts';
import { type RuleFacts, rbinTargets } from './rbin-targets.ts';
import { iamTargets, stsTargets } from './iam-targets.ts';
import { checkFirst } from './check-first.ts';
import { resourceAttributes } from './resource-attributes.ts';
import { isKeptWhenAllowed } from './kept-decisions.ts';
import { KeptTags } from './kept-tags.ts';

/**
 * Whether the caller's own policies allow a call. Not asked for KMS: there the key's policy and grants count as well, so `kms`
 * decides.
 */
export class Authorizer {
  private readonly keptTags = new KeptTags();

  constructor(
    private readonly policies: CallerPoliciesCache,
    private readonly requests: Requests,
    private readonly clock: Clock,
    private readonly decisions: Pick<DecisionLog, 'allowed' | 'refused'>,
  ) {}

  /**
   * @returns ARNs of what is denied apart from the call itself, which answers for each of them: for few calls, and mostly none.
   * @throws AwsError as the service refuses what no policy allows, or one denies; what is wrong with the call where EC2 says
   *   that first.
   */
  async authorize(request: ParsedRequest, context: RequestContext): Promise<readonly string[]> {
    if (request.service === 'kms' || context.principal.type === 'Root') return [];
    const [targets, caller] = await Promise.all([this.targets(request, context), this.policies.of(context)]);
    if (targets.length === 0) return [];
    const question = this.question(context, caller);
    const joint = evaluateEach(
      question,
      targets.filter(({ answeredApart }) => answeredApart !== true),
    );
    const call = { ...request, context, at: this.clock.now() };
    if (!joint.allowed) {
      await checkFirst(request, context, this.requests);
      const refusal = await this.refusal(request, joint.decision, context);
      // Kept before it is answered, so that whoever is refused can ask why at once.
      await this.decisions.refused(decisionRecord(call, joint, refusal.code));
      throw refusal;
    }
    if (isKeptWhenAllowed(request)) await this.decisions.allowed(decisionRecord(call, joint, null));
    const denied: string[] = [];
    for (const target of targets.filter(({ answeredApart }) => answeredApart === true)) {
      const apart = evaluateEach(question, [target]);
      if (apart.allowed) continue;
      await this.decisions.refused(decisionRecord(call, apart, 'UnauthorizedOperation'));
      denied.push(target.resource);
    }
    return denied;
  }

  private question(context: RequestContext, caller: CallerPolicies | null): AccessQuestion {
    return {
      request: {
        ...{ principal: principalOf(context.principal), action: '', resource: '', region: context.region },
        ...{ at: this.clock.now(), sourceIp: context.sourceIp, userAgent: context.userAgent },
        context: { 'aws:TokenIssueTime': context.principal.tokenIssueTime },
        ...(caller && { principal: caller.principal }),
      },
      // Of a caller that is no more nothing is known, and nothing allows.
      identityPolicies: caller?.identityPolicies ?? [],
      permissionsBoundary: caller?.permissionsBoundary ?? null,
      sessionPolicies: caller?.sessionPolicies,
      resourceAccount: context.accountId,
    };
  }

  private targets({ service, operation, input }: ParsedRequest, context: RequestContext): Promise<AccessTarget[]> {
    switch (service) {
      case 'ec2':
        return ec2Targets(operation, input, context, this.facts(context));
      case 'iam':
        return iamTargets(operation, input, context, this.facts(context));
      case 'sts':
        return Promise.resolve(stsTargets(operation, input, context));
      case 'rbin':
        return rbinTargets(operation, input, context, this.ruleFacts(context));
      case 'ebs':
        return ebsTargets(operation, input, context, this.snapshotFacts(operation, context));
      default:
        return Promise.resolve([{ action: `${service}:${operation}`, resource: '*', resourceAccount: null }]);
    }
  }

  private ruleFacts(context: RequestContext): RuleFacts {
    return {
      rule: (ruleId) => this.requests.call('snapshots', 'GetRuleFacts', { ruleId }, context),
    };
  }

  /** Blocks come by the thousand. */
  private snapshotFacts(operation: string, context: RequestContext): SnapshotFacts {
    const tagsOf = (snapshotId: string) => this.tagsOf(snapshotId, context);
    if (operation !== 'PutSnapshotBlock' && operation !== 'GetSnapshotBlock') return { tagsOf };
    const { accountId, region } = context;
    return { tagsOf: (id) => this.keptTags.of(`${accountId}/${region}/${id}`, () => tagsOf(id)) };
  }

  private async tagsOf(resourceId: string, context: RequestContext): Promise<Record<string, string>> {
    const owner = tagOwner(resourceId);
    if (owner === null) return {};
    const input = { Filters: [{ Name: 'resource-id', Values: [resourceId] }] };
    const { Tags = [] } = await this.requests.request<ec2.DescribeTagsResult>(owner, 'DescribeTags', input, context);
    return Object.fromEntries(Tags.map(({ Key = '', Value = '' }) => [Key, Value]));
  }

  private facts(context: RequestContext): ResourceFacts {
    return {
      tagsOf: (resourceId) => this.tagsOf(resourceId, context),
      attributesOf: (kind, resourceId) => resourceAttributes(this.requests, kind, resourceId, context),
      iamResource: (kind, name) => this.requests.call('identity', 'GetIamResource', { kind, name }, context),
      imageVolumes: (imageId) => this.imageVolumes(imageId, context),
      keyPair: (wanted) => this.keyPair(wanted, context),
      instanceProfile: (wanted) => this.requests.call('identity', 'FindInstanceProfile', wanted, context),
      instanceOfAssociation: (associationId) => this.instanceOfAssociation(associationId, context),
      encryptionByDefault: async () =>
        (await this.requests.call('account-settings', 'GetEncryptionDefaults', {}, context)).encryptionByDefault,
      isSnapshotEncrypted: (snapshotId) => this.isSnapshotEncrypted(snapshotId, context),
    };
  }

  private async isSnapshotEncrypted(snapshotId: string, context: RequestContext): Promise<boolean> {
    // As a filter, an id that names nothing is no error.
    const input = { Filters: [{ Name: 'snapshot-id', Values: [snapshotId] }] };
    type Output = ec2.DescribeSnapshotsResult;
    const { Snapshots = [] } = await this.requests.request<Output>('snapshots', 'DescribeSnapshots', input, context);
    return Snapshots[0]?.Encrypted === true;
  }

  private async imageVolumes(imageId: string, context: RequestContext): Promise<ImageVolume[]> {
    // As a filter, an id that names nothing is no error.
    const Filters = [{ Name: 'image-id', Values: [imageId] }];
    // Whatever can be launched from or deregistered, however hidden.
    const input = { Filters, IncludeDeprecated: true, IncludeDisabled: true };
    type Output = ec2.DescribeImagesResult;
    const { Images = [] } = await this.requests.request<Output>('instances', 'DescribeImages', input, context);
    return (Images[0]?.BlockDeviceMappings ?? []).map(({ DeviceName = '', Ebs = {} }) => ({
      deviceName: DeviceName,
      snapshotId: Ebs.SnapshotId,
      encrypted: Ebs.Encrypted === true,
      sizeGiB: Ebs.VolumeSize,
      volumeType: Ebs.VolumeType,
    }));
  }

  private async keyPair(
    wanted: { name: string } | { id: string },
    context: RequestContext,
  ): Promise<KeyPairFacts | null> {
    const [Name, value] = 'id' in wanted ? ['key-pair-id', wanted.id] : ['key-name', wanted.name];
    // As a filter, what names nothing is no error; of its wildcards none is meant.
    const input = { Filters: [{ Name, Values: [value.replaceAll(/[\\*?]/g, '\\$&')] }] };
    type Output = ec2.DescribeKeyPairsResult;
    const { KeyPairs = [] } = await this.requests.request<Output>('instances', 'DescribeKeyPairs', input, context);
    const [found] = KeyPairs;
    if (found === undefined) return null;
    const tags = Object.fromEntries((found.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
    return { name: found.KeyName ?? '', keyType: found.KeyType, tags };
  }

  private async instanceOfAssociation(associationId: string, context: RequestContext): Promise<string | null> {
    type Output = ec2.DescribeIamInstanceProfileAssociationsResult;
    const action = 'DescribeIamInstanceProfileAssociations';
    const input = { AssociationIds: [associationId] };
    const { IamInstanceProfileAssociations = [] } = await this.requests
      .request<Output>('instances', action, input, context)
      .catch((error: unknown): Output => {
        if (error instanceof AwsError && error.code === 'InvalidAssociationID.NotFound') return {};
        throw error;
      });
    return IamInstanceProfileAssociations[0]?.InstanceId ?? null;
  }

  private async refusal({ service }: ParsedRequest, decision: Decision, context: RequestContext): Promise<AwsError> {
    if (service === 'ebs') return accessDenied(service, ebsDenialMessage(decision));
    if (service !== 'ec2') return accessDenied(service, denialMessage(decision));
    // EC2 sends an encoded message where a resource could have been named.
    if (decision.request.resource === '*') return accessDenied(service, ec2DenialMessage(decision));
    const message = authorizationMessageText(decision, MAX_AUTHORIZATION_MESSAGE_BYTES);
    const { encodedMessage } = await this.requests.call('identity', 'EncodeAuthorizationMessage', { message }, context);
    return accessDenied(service, ec2DenialMessage(decision, encodedMessage));
  }
}
