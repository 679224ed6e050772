import type { AttachmentRecord, InstanceId } from '@holdfast/contracts';
import { type Filter, type RecordFilters, recordFilter } from '@holdfast/ec2';

const PREFIX = 'block-device-mapping.';

const each =
  (value: (attachment: AttachmentRecord) => string) =>
  (attachments: readonly AttachmentRecord[]): string[] =>
    attachments.map(value);

/** @see DescribeInstances, "Filters" */
export const DEVICE_FILTERS: RecordFilters<readonly AttachmentRecord[]> = {
  [`${PREFIX}attach-time`]: each(({ attachTime }) => attachTime),
  [`${PREFIX}delete-on-termination`]: each(({ deleteOnTermination }) => String(deleteOnTermination)),
  [`${PREFIX}device-name`]: each(({ device }) => device),
  [`${PREFIX}status`]: each(({ state }) => state),
  [`${PREFIX}volume-id`]: each(({ volumeId }) => volumeId),
};

/** What volumes has to be asked for, and what the instances' own table knows. */
export const splitFilters = (
  filters: readonly Filter[] | undefined,
): { devices: readonly Filter[]; others: readonly Filter[] | undefined } => {
  const isOfDevices = ({ Name = '' }: Filter) => Name.startsWith(PREFIX);
  return { devices: (filters ?? []).filter(isOfDevices), others: filters?.filter((one) => !isOfDevices(one)) };
};

/**
 * Instances whose devices match each of the filters, one or another device each.
 * @param attachments of all instances.
 * @throws AwsError InvalidParameterValue | FilterLimitExceeded
 */
export const instancesWithDevices = (
  filters: readonly Filter[],
  attachments: readonly AttachmentRecord[],
): InstanceId[] => {
  const matches = recordFilter(filters, DEVICE_FILTERS);
  const byInstance = new Map<InstanceId, AttachmentRecord[]>();
  for (const attachment of attachments)
    byInstance.set(attachment.instanceId, [...(byInstance.get(attachment.instanceId) ?? []), attachment]);
  return [...byInstance].filter(([, own]) => matches(own)).map(([instanceId]) => instanceId);
};
