import { snapshotId, type SnapshotId, volumeId, type VolumeId } from '@holdfast/contracts';

const parsed =
  <Id>(parse: (text: string) => Id) =>
  (text: string): Id | null => {
    try {
      return parse(text);
    } catch {
      return null;
    }
  };

/** Null when malformed: each EC2 action has its own words for that. */
export const parseSnapshotId: (text: string) => SnapshotId | null = parsed(snapshotId);
export const parseVolumeId: (text: string) => VolumeId | null = parsed(volumeId);
