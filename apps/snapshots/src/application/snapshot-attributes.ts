import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type RequestContext, type SnapshotId } from '@holdfast/contracts';
import { dryRunOperation } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { keyArnOf, type SnapshotState } from '../domain/snapshot.decider.ts';
import { ownSnapshot } from './own-snapshot.ts';
import { parsePermissionChange, type PermissionChange } from './permission-change.ts';
import type { SnapshotStreams } from './ports.ts';
import { refusal } from './refusals.ts';
import { snapshotIdOf } from './snapshot-ids.ts';

type Nothing = Record<string, never>;

/** Describe-, Modify- and ResetSnapshotAttribute: who, besides its owner, may create volumes from a snapshot. */
export class SnapshotAttributes {
  constructor(
    private readonly snapshots: SnapshotStreams,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async describe(
    input: Partial<ec2.DescribeSnapshotAttributeRequest>,
    context: RequestContext,
  ): Promise<ec2.DescribeSnapshotAttributeResult> {
    const { Attribute } = input;
    if (Attribute !== 'createVolumePermission' && Attribute !== 'productCodes') throw refusal('AttributeUnknown');
    if (input.DryRun === true) throw dryRunOperation();
    const snapshotId = snapshotIdOf(input.SnapshotId);
    const { sharing } = await ownSnapshot(this.snapshots, snapshotId, context);
    if (Attribute === 'productCodes') return { SnapshotId: snapshotId, ProductCodes: [] };
    const everybody = sharing.public ? [{ Group: 'all' }] : [];
    const accounts = sharing.accounts.map((UserId) => ({ UserId }));
    return { SnapshotId: snapshotId, CreateVolumePermissions: [...everybody, ...accounts] };
  }

  async modify(input: Partial<ec2.ModifySnapshotAttributeRequest>, context: RequestContext): Promise<Nothing> {
    const { change, snapshotId, state } = await this.checkModification(input, context);
    if (state === null) throw dryRunOperation();
    await this.change(snapshotId, state, change, context);
    return {};
  }

  /** What comes before the caller's permissions; `state` null: whether it exists is not looked at in a dry run. */
  async checkModification(
    input: Partial<ec2.ModifySnapshotAttributeRequest>,
    context: RequestContext,
  ): Promise<{ change: PermissionChange; snapshotId: SnapshotId; state: SnapshotState | null }> {
    const change = parsePermissionChange(input);
    const snapshotId = snapshotIdOf(input.SnapshotId);
    const state = input.DryRun === true ? null : await ownSnapshot(this.snapshots, snapshotId, context);
    return { change, snapshotId, state };
  }

  async reset(input: Partial<ec2.ResetSnapshotAttributeRequest>, context: RequestContext): Promise<Nothing> {
    if (input.Attribute !== 'createVolumePermission') throw refusal('AttributeUnknown');
    if (input.DryRun === true) throw dryRunOperation();
    const snapshotId = snapshotIdOf(input.SnapshotId);
    await ownSnapshot(this.snapshots, snapshotId, context);
    const command = { type: 'ResetSharing', snapshotId, at: this.clock.instant() } as const;
    await this.snapshots.handle(command, { caller: callerOf(context) });
    return {};
  }

  private async change(
    snapshotId: SnapshotId,
    state: SnapshotState,
    { operation, accounts, public: isPublic }: PermissionChange,
    context: RequestContext,
  ): Promise<void> {
    const cause = { caller: callerOf(context) };
    // The owner may do so anyway.
    const others = accounts.filter((account) => account !== context.accountId);
    const who = { snapshotId, accounts: others, public: isPublic };
    if (operation === 'remove') {
      const at = this.clock.instant();
      return this.snapshots.handle({ type: 'UnshareSnapshot', ...who, at }, cause);
    }
    if (others.length === 0 && !isPublic) return;
    const keyManagedByAws = await this.isManagedByAws(keyArnOf(state), context);
    const publicSharingBlocked = isPublic && (await this.isPublicSharingBlocked(context));
    const at = this.clock.instant();
    await this.snapshots.handle({ type: 'ShareSnapshot', ...who, keyManagedByAws, publicSharingBlocked, at }, cause);
  }

  private async isManagedByAws(keyArn: string | null, context: RequestContext): Promise<boolean> {
    if (keyArn === null) return false;
    return (await this.requests.call('kms', 'GetKeyManager', { keyArn }, context))?.keyManager === 'AWS';
  }

  private async isPublicSharingBlocked(context: RequestContext): Promise<boolean> {
    type State = ec2.GetSnapshotBlockPublicAccessStateResult;
    const action = 'GetSnapshotBlockPublicAccessState';
    return (await this.requests.request<State>('account-settings', action, {}, context)).State !== 'unblocked';
  }
}
