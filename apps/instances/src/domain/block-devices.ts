import { DomainError } from '@holdfast/decider';

/** A volume that an instance is launched with: what CreateVolume is asked for, and what becomes of it in the end. */
export interface BlockDevice {
  deviceName: string;
  deleteOnTermination: boolean;
  snapshotId?: string;
  sizeGiB?: number;
  volumeType?: string;
  iops?: number;
  throughputMiBps?: number;
  initializationRateMiBps?: number;
  encrypted?: boolean;
  kmsKeyId?: string;
}

/** One entry of RunInstances' BlockDeviceMapping; absent members are taken from the image's entry of the same device. */
export interface RequestedDevice extends Partial<BlockDevice> {
  deviceName: string;
  /** Whether it says anything about a volume. */
  hasVolume: boolean;
  /** The image's device is left out. */
  suppressed: boolean;
}

export type BlockDeviceErrorCode = 'DeviceRepeated' | 'DeviceWithoutVolume' | 'RootDeviceSuppressed';

const defined = <Value extends object>(value: Value): Partial<Value> =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Partial<Value>;

/** Another type begins with its own performance. */
const merged = (image: BlockDevice, { hasVolume: _v, suppressed: _s, ...request }: RequestedDevice): BlockDevice => {
  const { iops, throughputMiBps, ...kept } = image;
  const sameType = request.volumeType === undefined || request.volumeType === image.volumeType;
  return { ...kept, ...(sameType ? defined({ iops, throughputMiBps }) : {}), ...defined(request) };
};

/**
 * The image's devices with the request's changes to them, and the request's own. Volumes that only the request names are
 * deleted with the instance unless it says otherwise.
 * @throws DomainError BlockDeviceErrorCode
 */
export const launchDevices = (
  image: readonly BlockDevice[],
  rootDeviceName: string | null,
  requested: readonly RequestedDevice[],
): BlockDevice[] => {
  const changes = new Map(requested.map((device) => [device.deviceName, device]));
  if (changes.size < requested.length) throw new DomainError('DeviceRepeated');
  const devices: BlockDevice[] = [];
  for (const device of image) {
    const change = changes.get(device.deviceName);
    changes.delete(device.deviceName);
    if (change?.suppressed === true) {
      if (device.deviceName === rootDeviceName)
        throw new DomainError('RootDeviceSuppressed', { device: rootDeviceName });
    } else devices.push(change === undefined ? device : merged(device, change));
  }
  for (const change of changes.values()) {
    if (change.suppressed) continue;
    const { deviceName } = change;
    if (!change.hasVolume || (change.snapshotId === undefined && change.sizeGiB === undefined))
      throw new DomainError('DeviceWithoutVolume', { device: deviceName });
    devices.push(merged({ deviceName, deleteOnTermination: true }, change));
  }
  return devices;
};

/** In EC2's words: why an instance did not come up, or was stopped. */
export interface StateReason {
  code: string;
  message: string;
}

const reason = (code: string, text: string): StateReason => ({ code, message: `${code}: ${text}` });

export const USER_INITIATED = reason('Client.UserInitiatedShutdown', 'User initiated shutdown');

/**
 * Why a launch or a start ended.
 * @param cause what KMS or the data plane said.
 * @see Amazon EC2 user guide, "Troubleshoot instance launch issues": Client.InternalError comes of keys
 */
export const failureReason = (cause: string): StateReason =>
  /\bis (disabled|pending (deletion|import))\b/i.test(cause)
    ? reason('Client.InvalidKMSKey.InvalidState', 'The KMS key provided is in an incorrect state')
    : reason('Client.InternalError', 'Client error on launch');
