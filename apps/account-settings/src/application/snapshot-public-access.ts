import type { AccountId, RequestContext } from '@holdfast/contracts';
import type { Clock } from '@holdfast/service-kit';
import type { SnapshotPublicAccess } from '../domain/snapshot-public-access.decider.ts';
import type { BlockMode } from '../domain/snapshot-public-access.events.ts';
import type { PublicAccessStreams } from './ports.ts';

/** Enable- and DisableSnapshotBlockPublicAccess, GetSnapshotBlockPublicAccessState. No snapshot's own permissions change. */
export class SnapshotBlockPublicAccess {
  constructor(
    private readonly settings: PublicAccessStreams,
    private readonly clock: Clock,
  ) {}

  get(context: RequestContext): Promise<SnapshotPublicAccess> {
    return this.settings.read(context);
  }

  async enable(mode: BlockMode, context: RequestContext): Promise<BlockMode> {
    await this.settings.handle(context, { type: 'BlockSnapshotPublicAccess', mode, at: this.clock.instant() });
    return mode;
  }

  async disable(context: RequestContext): Promise<'unblocked'> {
    await this.settings.handle(context, { type: 'UnblockSnapshotPublicAccess', at: this.clock.instant() });
    return 'unblocked';
  }

  /** Those of `accounts` whose public snapshots nobody else may see. */
  async hiding(accounts: readonly AccountId[], context: RequestContext): Promise<AccountId[]> {
    const { region } = context;
    const modes = await Promise.all(accounts.map((accountId) => this.settings.read({ accountId, region })));
    return accounts.filter((_, i) => modes[i] === 'block-all-sharing');
  }
}
