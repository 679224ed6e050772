import { type AccessTarget, ec2Arn, type Input, type ResourceFacts, type TargetCaller } from './access-target.ts';
import {
  type Context,
  existing,
  requestTags,
  resourceTags,
  tagging,
  target,
  type Targets,
  tagsFor,
  text,
} from './ec2-target.ts';
import { passRole } from './iam-targets.ts';

/** Key pairs are named in policies by their names, whatever a request calls them by. */
const keyPair = async (
  action: string,
  caller: TargetCaller,
  facts: ResourceFacts,
  wanted: { name: string } | { id: string },
  context: Context = {},
): Promise<AccessTarget> => {
  const found = await facts.keyPair(wanted);
  const name = found?.name ?? ('name' in wanted ? wanted.name : '*');
  return target(action, caller, 'key-pair', name, {
    ...context,
    'ec2:KeyPairName': name,
    'ec2:KeyPairType': found?.keyType,
    ...resourceTags(found?.tags ?? {}),
  });
};

const newKeyPair =
  (action: string): Targets =>
  (input, caller) => {
    const name = text(input['KeyName']) ?? '*';
    const type = action === 'CreateKeyPair' ? (text(input['KeyType']) ?? 'rsa') : undefined;
    const context = { 'ec2:KeyPairName': name, 'ec2:KeyPairType': type, ...requestTags(tagsFor(input, 'key-pair')) };
    const itself = target(action, caller, 'key-pair', name, context);
    return Promise.resolve([itself, ...tagging(action, input, caller, ['key-pair'])]);
  };

const deleteKeyPair: Targets = async (input, caller, facts) => {
  const id = text(input['KeyPairId']);
  const wanted = id === undefined ? { name: text(input['KeyName']) ?? '*' } : { id };
  return [await keyPair('DeleteKeyPair', caller, facts, wanted)];
};

/** The key pair that has an id, for calls that name resources by ids. */
export const keyPairById = (
  action: string,
  caller: TargetCaller,
  facts: ResourceFacts,
  id: string,
  context: Context,
): Promise<AccessTarget> => keyPair(action, caller, facts, { id }, context);

/** The role of the profile that a call names, with what the profile is called; one without a role is refused anyway. */
const passed = async (
  input: Input,
  caller: TargetCaller,
  facts: ResourceFacts,
  instanceId: string,
): Promise<{ arn: string | undefined; passing: AccessTarget[] }> => {
  const { Name, Arn } = (input['IamInstanceProfile'] ?? {}) as { Name?: string; Arn?: string };
  const [name, arn] = [text(Name), text(Arn)];
  if (name === undefined && arn === undefined) return { arn: undefined, passing: [] };
  const found = await facts.instanceProfile(arn === undefined ? { name: name ?? '' } : { arn });
  if (found === null) return { arn, passing: [] };
  const { roleArn } = found;
  const instance = ec2Arn(caller, 'instance', instanceId);
  return { arn: found.arn, passing: roleArn === null ? [] : [passRole(roleArn, caller.accountId, instance)] };
};

/** What a launch needs beyond what any does: its key pair, and the permission to pass the role. */
export const launchCredentials = async (
  input: Input,
  caller: TargetCaller,
  facts: ResourceFacts,
): Promise<{ instanceProfile: string | undefined; targets: AccessTarget[] }> => {
  const name = text(input['KeyName']);
  const { arn, passing } = await passed(input, caller, facts, '*');
  const keys = name === undefined ? [] : [await keyPair('RunInstances', caller, facts, { name })];
  return { instanceProfile: arn, targets: [...keys, ...passing] };
};

/** @param instanceId the instance, or the one that has the association. */
const changedProfile =
  (action: string): Targets =>
  async (input, caller, facts) => {
    const association = text(input['AssociationId']);
    const id =
      (association === undefined ? text(input['InstanceId']) : await facts.instanceOfAssociation(association)) ?? '*';
    const { arn, passing } = await passed(input, caller, facts, id);
    return [await existing(action, caller, 'instance', id, facts, { 'ec2:NewInstanceProfile': arn }), ...passing];
  };

/** Calls about what instances log in and act with. @see Service authorization reference, Amazon EC2 */
export const CREDENTIAL_TARGETS: Readonly<Record<string, Targets>> = {
  AssociateIamInstanceProfile: changedProfile('AssociateIamInstanceProfile'),
  CreateKeyPair: newKeyPair('CreateKeyPair'),
  DeleteKeyPair: deleteKeyPair,
  DisassociateIamInstanceProfile: changedProfile('DisassociateIamInstanceProfile'),
  ImportKeyPair: newKeyPair('ImportKeyPair'),
  ReplaceIamInstanceProfileAssociation: changedProfile('ReplaceIamInstanceProfileAssociation'),
};
