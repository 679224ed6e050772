import { type AccessTarget, ec2Arn, type Input, type TargetCaller } from './access-target.ts';
import { type Context, requestTags, type Tag, target, text } from './ec2-target.ts';

export interface SnapshotFacts {
  /** Tags of one of the caller's snapshots, key to value; empty when it is none. */
  tagsOf(snapshotId: string): Promise<Readonly<Record<string, string>>>;
}

const onSnapshot = (operation: string, caller: TargetCaller, id: string, context: Context): AccessTarget => ({
  action: `ebs:${operation}`,
  resource: ec2Arn(caller, 'snapshot', id),
  resourceAccount: null,
  context,
});

const startSnapshot = (input: Input, caller: TargetCaller): AccessTarget[] => {
  const parent = text(input['ParentSnapshotId']);
  const tags = (input['Tags'] ?? []) as Tag[];
  const context = {
    ...requestTags(tags),
    'ebs:Description': text(input['Description']),
    'ebs:ParentSnapshot': parent && ec2Arn(caller, 'snapshot', parent),
    'ebs:VolumeSize': input['VolumeSize'] as number | undefined,
  };
  const tagging = { ...requestTags(tags), 'ec2:CreateAction': 'StartSnapshot' };
  return [
    onSnapshot('StartSnapshot', caller, '*', context),
    ...(tags.length === 0 ? [] : [target('CreateTags', caller, 'snapshot', '*', tagging)]),
  ];
};

/**
 * The permissions that a call of EBS direct needs: on each snapshot that it names, and to tag the one that it starts with tags.
 * @see Service authorization reference, Amazon Elastic Block Store
 */
export const ebsTargets = async (
  operation: string,
  input: Input,
  caller: TargetCaller,
  facts: SnapshotFacts,
): Promise<AccessTarget[]> => {
  if (operation === 'StartSnapshot') return startSnapshot(input, caller);
  const named = [input['SnapshotId'], input['SecondSnapshotId'], input['FirstSnapshotId']].flatMap(
    (value) => text(value) ?? [],
  );
  return Promise.all(
    [...new Set(named.length === 0 ? ['*'] : named)].map(async (id) => {
      const tags = Object.entries(await facts.tagsOf(id));
      const context = Object.fromEntries(tags.map(([key, value]) => [`aws:ResourceTag/${key}`, value]));
      return onSnapshot(operation, caller, id, context);
    }),
  );
};
