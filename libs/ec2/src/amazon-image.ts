import { createHash } from 'node:crypto';
import { accountId, type AccountId, type Region, snapshotId, type SnapshotId } from '@holdfast/contracts';

/** The account that owns Amazon's own images and their snapshots. */
export const AMAZON_ACCOUNT_ID: AccountId = accountId('137112412989');

const digits = (name: string) => createHash('sha256').update(name).digest('hex').slice(0, 16);

/** The public snapshot behind the Region's EBS-backed image: nothing was ever written to it. Its id is always the same. */
export const amazonSnapshot = (region: Region): { snapshotId: SnapshotId; volumeSizeGiB: number } => ({
  snapshotId: snapshotId(`snap-0${digits(`holdfast-snapshot-${region}`)}`),
  volumeSizeGiB: 8,
});
