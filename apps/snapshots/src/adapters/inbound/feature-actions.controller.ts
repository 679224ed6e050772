import type { ec2, rbin } from '@holdfast/aws-protocol';
import type { InternalRequests, RequestContext } from '@holdfast/contracts';
import type { RequestHandlers } from '@holdfast/messaging';
import type { CreateSnapshots } from '../../application/create-snapshots.ts';
import type { FastRestores } from '../../application/fast-restores.ts';
import { toRbinError } from '../../application/rbin-errors.ts';
import type { RecycleBin } from '../../application/recycle-bin.ts';
import type { RecycleRules } from '../../application/recycle-rules.ts';
import type { SnapshotLocks } from '../../application/snapshot-locks.ts';
import type { SnapshotTiers } from '../../application/snapshot-tiers.ts';
import { toAwsError } from './snapshot-errors.ts';

export interface FeatureActions {
  createSnapshots: CreateSnapshots;
  locks: SnapshotLocks;
  tiers: SnapshotTiers;
  bin: RecycleBin;
  fastRestores: FastRestores;
  rules: RecycleRules;
}

type Internal = InternalRequests['snapshots'];
type Handler = (input: never, context: RequestContext) => Promise<unknown>;

/** What can be done with snapshots besides making, copying and sharing them; refusals in EC2's words, or the Recycle Bin's. */
export const featureRequests = (actions: FeatureActions): RequestHandlers => {
  const { locks, tiers, bin, fastRestores, createSnapshots } = actions;
  const ec2Handlers = {
    CreateSnapshots: (input: ec2.CreateSnapshotsRequest, context: RequestContext) =>
      createSnapshots.run(input, context),
    CreateImageSnapshots: (input: Internal['CreateImageSnapshots']['in'], context: RequestContext) =>
      createSnapshots.forImage(input, context),
    LockSnapshot: (input: ec2.LockSnapshotRequest, context: RequestContext) => locks.lock(input, context),
    UnlockSnapshot: (input: ec2.UnlockSnapshotRequest, context: RequestContext) => locks.unlock(input, context),
    DescribeLockedSnapshots: (input: ec2.DescribeLockedSnapshotsRequest, context: RequestContext) =>
      locks.describe(input, context),
    ModifySnapshotTier: (input: ec2.ModifySnapshotTierRequest, context: RequestContext) =>
      tiers.archive(input, context),
    RestoreSnapshotTier: (input: ec2.RestoreSnapshotTierRequest, context: RequestContext) =>
      tiers.restore(input, context),
    DescribeSnapshotTierStatus: (input: ec2.DescribeSnapshotTierStatusRequest, context: RequestContext) =>
      tiers.describe(input, context),
    ListSnapshotsInRecycleBin: (input: ec2.ListSnapshotsInRecycleBinRequest, context: RequestContext) =>
      bin.list(input, context),
    RestoreSnapshotFromRecycleBin: (input: ec2.RestoreSnapshotFromRecycleBinRequest, context: RequestContext) =>
      bin.restore(input, context),
    EnableFastSnapshotRestores: (input: ec2.EnableFastSnapshotRestoresRequest, context: RequestContext) =>
      fastRestores.enable(input, context),
    DisableFastSnapshotRestores: (input: ec2.DisableFastSnapshotRestoresRequest, context: RequestContext) =>
      fastRestores.disable(input, context),
    DescribeFastSnapshotRestores: (input: ec2.DescribeFastSnapshotRestoresRequest, context: RequestContext) =>
      fastRestores.describe(input, context),
    UseFastRestore: (input: Internal['UseFastRestore']['in'], context: RequestContext) =>
      fastRestores.use(input, context),
  };
  return { ...inWords(ec2Handlers, toAwsError), ...inWords(ruleHandlers(actions.rules), toRbinError) };
};

const ruleHandlers = (rules: RecycleRules) => ({
  CreateRule: (input: rbin.CreateRuleRequest, context: RequestContext) => rules.create(input, context),
  GetRule: (input: rbin.GetRuleRequest, context: RequestContext) => rules.get(input, context),
  ListRules: (input: rbin.ListRulesRequest, context: RequestContext) => rules.list(input, context),
  UpdateRule: (input: rbin.UpdateRuleRequest, context: RequestContext) => rules.update(input, context),
  DeleteRule: (input: rbin.DeleteRuleRequest, context: RequestContext) => rules.delete(input, context),
  LockRule: (input: rbin.LockRuleRequest, context: RequestContext) => rules.lock(input, context),
  UnlockRule: (input: rbin.UnlockRuleRequest, context: RequestContext) => rules.unlock(input, context),
  TagResource: (input: rbin.TagResourceRequest, context: RequestContext) => rules.tag(input, context),
  UntagResource: (input: rbin.UntagResourceRequest, context: RequestContext) => rules.untag(input, context),
  ListTagsForResource: (input: rbin.ListTagsForResourceRequest, context: RequestContext) => rules.tags(input, context),
  GetRetention: (input: Internal['GetRetention']['in'], context: RequestContext) => rules.retention(input, context),
  GetRuleFacts: (input: Internal['GetRuleFacts']['in'], context: RequestContext) => rules.facts(input, context),
});

const inWords = (handlers: Readonly<Record<string, Handler>>, words: (thrown: unknown) => unknown): RequestHandlers =>
  Object.fromEntries(
    Object.entries(handlers).map(([action, handler]) => [
      action,
      async (input: never, context: RequestContext): Promise<unknown> => {
        try {
          return await handler(input, context);
        } catch (error) {
          throw words(error);
        }
      },
    ]),
  );
