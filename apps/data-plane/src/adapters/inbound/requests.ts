import type { InternalRequests, RequestContext } from '@holdfast/contracts';
import { snapshotId, volumeId } from '@holdfast/contracts';
import type { RequestHandlers } from '@holdfast/messaging';
import type { AllocateVolume } from '../../application/allocate-volume.ts';
import type { Archives } from '../../application/archives.ts';
import type { BlockTransfers } from '../../application/block-transfers.ts';
import type { BlockUploads } from '../../application/block-uploads.ts';
import type { DataPlane } from '../../application/data-plane.ts';
import type { Initializations } from '../../application/initializations.ts';
import type { SnapshotExports } from '../../application/snapshot-exports.ts';
import type { Snapshots } from '../../application/snapshots.ts';

type Requests = InternalRequests['data-plane'];

/** Ids become parts of paths, so they are parsed before anything else is done. */
export const dataPlaneRequests = ({
  dataPlane,
  allocateVolume,
  archives,
  initializations,
  snapshots,
  snapshotExports,
  uploads,
  transfers,
}: {
  dataPlane: DataPlane;
  allocateVolume: AllocateVolume;
  initializations: Initializations;
  archives: Archives;
  snapshots: Snapshots;
  snapshotExports: SnapshotExports;
  uploads: BlockUploads;
  transfers: BlockTransfers;
}) =>
  ({
    AllocateVolume: async (input: Requests['AllocateVolume']['in']) => {
      volumeId(input.volumeId);
      if (input.source !== undefined) snapshotId(input.source.snapshotId);
      return allocateVolume.run(input);
    },
    CheckGrowth: async (input: Requests['CheckGrowth']['in']) => {
      volumeId(input.volumeId);
      return dataPlane.checkGrowth(input);
    },
    GrowVolume: async (input: Requests['GrowVolume']['in']) => {
      volumeId(input.volumeId);
      return dataPlane.growVolume(input);
    },
    SetPerformance: async (input: Requests['SetPerformance']['in']) => {
      volumeId(input.volumeId);
      return dataPlane.setPerformance(input);
    },
    SetFaults: async (input: Requests['SetFaults']['in']) => {
      volumeId(input.volumeId);
      return dataPlane.setFaults(input);
    },
    RemoveVolume: async (input: Requests['RemoveVolume']['in']) => {
      volumeId(input.volumeId);
      return dataPlane.removeVolume(input);
    },
    GetInitialization: async ({ volumeIds }: Requests['GetInitialization']['in']) => ({
      initializations: await initializations.of(volumeIds.map((id) => volumeId(id))),
    }),
    OpenExport: async (input: Requests['OpenExport']['in']) => {
      volumeId(input.volumeId);
      return dataPlane.openExport(input);
    },
    CloseExport: async (input: Requests['CloseExport']['in']) => {
      volumeId(input.volumeId);
      return dataPlane.closeExport(input);
    },
    ...snapshotRequests(dataPlane, snapshots),
    ...exportRequests(snapshotExports),
    ...archiveRequests(archives),
    ...blockRequests(uploads, transfers),
  }) satisfies RequestHandlers;

const snapshotRequests = (dataPlane: DataPlane, snapshots: Snapshots) =>
  ({
    FreezeSnapshot: async (input: Requests['FreezeSnapshot']['in']) => {
      snapshotId(input.snapshotId);
      volumeId(input.volumeId);
      return dataPlane.freezeSnapshot(input);
    },
    FreezeSnapshots: async (input: Requests['FreezeSnapshots']['in']) => {
      for (const member of input.snapshots) {
        snapshotId(member.snapshotId);
        volumeId(member.volumeId);
      }
      return dataPlane.freezeSnapshots(input);
    },
    StartSnapshotCopy: async (input: Requests['StartSnapshotCopy']['in']) => {
      snapshotId(input.snapshotId);
      snapshotId(input.source.snapshotId);
      if (input.previousCopy !== undefined) snapshotId(input.previousCopy);
      return dataPlane.startSnapshotCopy(input);
    },
    GetSnapshotProgress: async (input: Requests['GetSnapshotProgress']['in']) =>
      snapshots.progress(snapshotId(input.snapshotId)),
    GetSnapshotDataKey: async (input: Requests['GetSnapshotDataKey']['in']) => ({
      dataKey: snapshots.dataKeyOf(snapshotId(input.snapshotId)),
    }),
    RemoveSnapshot: async (input: Requests['RemoveSnapshot']['in']) => {
      snapshotId(input.snapshotId);
      return dataPlane.removeSnapshot(input);
    },
  }) satisfies RequestHandlers;

/** Snapshots that are read as devices. */
const exportRequests = (snapshotExports: SnapshotExports) =>
  ({
    OpenSnapshotExport: async (input: Requests['OpenSnapshotExport']['in']) => {
      snapshotId(input.snapshotId);
      return snapshotExports.open(input);
    },
    KeepSnapshotExport: async ({ exportId }: Requests['KeepSnapshotExport']['in']) => snapshotExports.keep(exportId),
    CloseSnapshotExport: async ({ exportId }: Requests['CloseSnapshotExport']['in']) => {
      await snapshotExports.close(exportId);
      return {};
    },
  }) satisfies RequestHandlers;

/** The archive tier. */
const archiveRequests = (archives: Archives) =>
  ({
    ArchiveSnapshot: async (input: Requests['ArchiveSnapshot']['in']) => {
      archives.archive(snapshotId(input.snapshotId));
      return {};
    },
    RestoreArchive: async (input: Requests['RestoreArchive']['in']) => {
      archives.restore(snapshotId(input.snapshotId));
      return {};
    },
    GetArchiveProgress: async (input: Requests['GetArchiveProgress']['in']) =>
      archives.progress(snapshotId(input.snapshotId)),
    ReleaseArchive: async ({ snapshotId: id, keep }: Requests['ReleaseArchive']['in']) => {
      if (keep !== 'archive' && keep !== 'blocks') throw new TypeError(`cannot keep ${String(keep)}`);
      archives.release(snapshotId(id), keep);
      return {};
    },
  }) satisfies RequestHandlers;

/** What EBS direct asks. */
const blockRequests = (uploads: BlockUploads, transfers: BlockTransfers) =>
  ({
    StartBlockUpload: async (input: Requests['StartBlockUpload']['in']) => {
      snapshotId(input.snapshotId);
      if (input.parentSnapshotId !== undefined) snapshotId(input.parentSnapshotId);
      return uploads.start(input);
    },
    CompleteBlockUpload: async (input: Requests['CompleteBlockUpload']['in']) => {
      snapshotId(input.snapshotId);
      return uploads.complete(input);
    },
    ListBlocks: async (input: Requests['ListBlocks']['in']) => {
      snapshotId(input.snapshotId);
      if (input.firstSnapshotId !== undefined) snapshotId(input.firstSnapshotId);
      return uploads.list(input);
    },
    OpenBlockSession: async (input: Requests['OpenBlockSession']['in'], context: RequestContext) => {
      snapshotId(input.snapshotId);
      return transfers.openSession(input, context);
    },
  }) satisfies RequestHandlers;
