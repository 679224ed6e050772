import { type OperationInfo, operations, type ServiceId } from '@holdfast/aws-protocol';
import { KMS_USES, type KmsUse } from '@holdfast/ec2';
import type { AccessTarget, Input, ResourceFacts } from '../authorization/access-target.ts';
import { ebsTargets } from '../authorization/ebs-targets.ts';
import { ec2Targets } from '../authorization/ec2-targets.ts';
import { iamTargets, stsTargets } from '../authorization/iam-targets.ts';
import { type RuleFacts, rbinTargets } from '../authorization/rbin-targets.ts';
import { ownerOf } from '../aws/operation-owners.ts';

const ACCOUNT = '111122223333';
const REGION = 'eu-central-1';
const CALLER = { accountId: ACCOUNT, region: REGION, principal: { arn: `arn:aws:iam::${ACCOUNT}:user/caller` } };
const FACTS: ResourceFacts = {
  tagsOf: () => Promise.resolve({}),
  attributesOf: () => Promise.resolve({}),
  iamResource: () => Promise.resolve(null),
  imageVolumes: () => Promise.resolve([{ deviceName: '/dev/xvda', snapshotId: 'snap-1', encrypted: false }]),
  keyPair: () => Promise.resolve(null),
  instanceProfile: () => Promise.resolve({ arn: 'p', roleArn: `arn:aws:iam::${ACCOUNT}:role/r` }),
  instanceOfAssociation: () => Promise.resolve('i-1'),
  encryptionByDefault: () => Promise.resolve(false),
  isSnapshotEncrypted: () => Promise.resolve(false),
};
const RULES: RuleFacts = { rule: () => Promise.resolve(null) };

const TAGS = [{ Key: 'k', Value: 'v' }];
const KINDS = ['volume', 'snapshot', 'instance', 'image', 'network-interface', 'key-pair'];

/** Names one of everything that a call may be about. */
const VALUES: Input = {
  ...{ VolumeId: 'vol-1', InstanceId: 'i-1', InstanceIds: ['i-1'], ImageId: 'ami-1', SourceImageId: 'ami-1' },
  ...{ SnapshotId: 'snap-1', SourceSnapshotId: 'snap-1', SecondSnapshotId: 'snap-1', SourceRegion: REGION },
  ...{
    Resources: ['r-1'],
    Tags: TAGS,
    TagSpecifications: KINDS.map((ResourceType) => ({ ResourceType, Tags: TAGS })),
  },
  ...{ UserName: 'n', RoleName: 'n', GroupName: 'n', InstanceProfileName: 'n', PolicyName: 'n', Name: 'n' },
  ...{ KeyName: 'n', IamInstanceProfile: { Name: 'n' }, AssociationId: 'iip-assoc-1' },
  PolicyArn: `arn:aws:iam::${ACCOUNT}:policy/n`,
  DeleteAssociatedSnapshots: true,
  ...{ Identifier: 'r', ResourceArn: `arn:aws:rbin:${REGION}:${ACCOUNT}:rule/r` },
};

const inputOf = (members: readonly string[]): Input =>
  Object.fromEntries(Object.entries(VALUES).filter(([member]) => members.includes(member)));

const targetsOf = (service: ServiceId, operation: string, input: Input): Promise<AccessTarget[]> => {
  if (service === 'ec2') return ec2Targets(operation, input, CALLER, FACTS);
  if (service === 'rbin') return rbinTargets(operation, input, CALLER, RULES);
  if (service === 'iam') return iamTargets(operation, input, CALLER, FACTS);
  if (service === 'ebs') return ebsTargets(operation, input, CALLER, FACTS);
  return Promise.resolve(stsTargets(operation, input, CALLER));
};

/** `arn:aws:ec2:…:volume/vol-1` → `volume`; `*` is every resource. */
const resourceName = (resource: string): string => {
  if (resource === '*') return '`*`';
  const [kind = ''] = resource.split(':').slice(5).join(':').split('/');
  if (kind === '*') return 'each resource that it names';
  return kind === 'user' && resource === CALLER.principal.arn ? 'the caller' : kind;
};

const permissionName = ({ action, resource, answeredApart }: AccessTarget): string =>
  `\`${action}\` on ${resourceName(resource)}${answeredApart === true ? ', which is left out without it' : ''}`;

/** With what every such call names, and with whatever else it may name. */
const permissions = async (service: ServiceId, { name, members, requiredMembers }: OperationInfo): Promise<string> => {
  const always = (await targetsOf(service, name, inputOf(requiredMembers))).map(permissionName);
  const all = (await targetsOf(service, name, inputOf(members))).map(permissionName);
  const needed = always.filter((permission) => all.includes(permission));
  const more = all.filter((permission) => !needed.includes(permission));
  const otherwise = always.filter((permission) => !all.includes(permission));
  const texts = [
    ...needed,
    ...more.map((permission) => `${permission} (if the call names one)`),
    ...otherwise.map((permission) => `${permission} (if it names none)`),
  ];
  return texts.length === 0 ? 'none' : [...new Set(texts)].join('; ');
};

const served = (service: ServiceId): OperationInfo[] =>
  [...operations(service).values()]
    .filter(({ name }) => ownerOf(service, name) !== null)
    .sort((a, b) => a.name.localeCompare(b.name, 'en'));

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const onKeys = ({ steps }: KmsUse): string[] => {
  const list = (which: 'key' | 'source') =>
    steps
      .filter(({ on }) => on === which)
      .map(({ action }) => `\`kms:${action}\``)
      .join(', ');
  return [list('key') || 'none', list('source') || 'none'];
};

const kmsRows = (): string[][] =>
  KMS_USES.map((use) => [`${use.service}: ${use.operations.join(', ')}`, use.when, ...onKeys(use)]);

const operationRows = (service: ServiceId): Promise<string[][]> =>
  Promise.all(served(service).map(async (operation) => [operation.name, await permissions(service, operation)]));

/** `docs/permissions.md`, from the tables by which the gateway asks and EBS calls KMS. */
export const permissionsDocument = async (): Promise<string> => {
  const sections = await Promise.all(
    (['ec2', 'ebs', 'rbin', 'iam', 'sts'] as const).map(async (service) => {
      const rows = await operationRows(service);
      return `## ${service}\n\n${table(['operation', 'permissions'], rows)}\n`;
    }),
  );
  return `# Permissions

What a caller needs for each operation. This page is made from the code's own tables (\`ec2-targets.ts\`, \`ebs-targets.ts\`,
\`iam-targets.ts\`, \`rbin-targets.ts\`, \`kms-steps.ts\`) and compared with them by a test; \`npx vitest run --project unit permissions-document -u\` writes it anew. That
these permissions are enough, and that without any one of them the step that needs it fails and no other, is tested by taking
each away in turn (\`apps/e2e/src/permissions.e2e.spec.ts\`).

The root user needs none of them in its own account. \`holdfast explain <request id>\` tells of a refused call which one was missing.

## Keys

For volumes and snapshots that are encrypted, EC2 and EBS call KMS with the caller's own permissions, by identity-based policy,
key policy or grant, with \`kms:ViaService\` = \`ec2.<region>.amazonaws.com\`. Under the AWS managed key \`alias/aws/ebs\` nobody of the
account needs any of them. What EBS and an instance's host do later, they do under grants (\`kms:GrantIsForAWSResource\`).

${table(['operation', 'when', "on the volume's or snapshot's key", "on the source snapshot's key"], kmsRows())}

${sections.join('\n')}
## kms

Each operation needs the permission of its own name on the key, by key policy, identity-based policy or grant. ReEncrypt needs
\`kms:ReEncryptFrom\` on the one key and \`kms:ReEncryptTo\` on the other; CreateAlias, UpdateAlias and DeleteAlias need theirs on the
alias and on each key concerned; ReplicateKey needs \`kms:CreateKey\` in the replica's Region as well. CreateKey and
ReplicateKey with tags need \`kms:TagResource\` on \`arn:aws:kms:<region>:<account>:key/*\`, by identity-based policy.
`;
};
