import type { DeviceFaults, HostAttachment, InstanceId, VolumePerformanceRecord } from '@holdfast/contracts';
import type { HostProcess } from '../host-process.ts';

/** A volume that is served, or has something to copy. */
export interface Slot {
  host: HostProcess | null;
  /** What is to be served, whether or not its host is running at the moment; more than one with Multi-Attach. */
  readonly attachments: Map<InstanceId, HostAttachment>;
  /** Those of them that the running host serves. */
  readonly served: Set<InstanceId>;
  restarts: number;
  /** What it is held to; null: nothing. */
  performance: VolumePerformanceRecord | null;
  /** Development mode: what goes wrong on its device. */
  faults: DeviceFaults | null;
}

export const newSlot = (): Slot => ({
  host: null,
  attachments: new Map(),
  served: new Set(),
  restarts: 0,
  performance: null,
  faults: null,
});

/** Whether something keeps what a loss of power could take. */
export const canLosePower = ({ host, faults }: Slot): boolean => host !== null && faults?.loseUnsyncedWrites === true;
