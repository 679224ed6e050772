import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError } from '@holdfast/contracts';
import { invalidParameterCombination, invalidParameterValue, refuseParameters } from '@holdfast/ec2';
import {
  type CpuCredits,
  type InstanceSettings,
  isBurstable,
  type MetadataOptions,
  metadataOptionsOf,
} from '../domain/instance-settings.ts';
import { instanceType } from '../domain/instance-types.ts';

/** Before base64. @see RunInstances, UserData */
const MAX_USER_DATA_BYTES = 16_384;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const MAX_HOP_LIMIT = 64;

type Launch = Pick<
  ec2.RunInstancesRequest,
  | 'UserData'
  | 'CreditSpecification'
  | 'DisableApiStop'
  | 'InstanceInitiatedShutdownBehavior'
  | 'EbsOptimized'
  | 'MetadataOptions'
  | 'Monitoring'
>;

/** What a launch says of the guest. @throws AwsError for what no instance, or none of its type, can have. */
export const settingsOfLaunch = (input: Launch, type: string): InstanceSettings => {
  const { UserData, CreditSpecification, MetadataOptions: metadata, DisableApiStop, EbsOptimized } = input;
  const behavior = input.InstanceInitiatedShutdownBehavior;
  const credits = CreditSpecification?.CpuCredits;
  return {
    ...(UserData === undefined || UserData === '' ? {} : { userData: checkedUserData(UserData) }),
    ...(credits === undefined || credits === '' ? {} : { cpuCredits: checkedCredits(credits, type) }),
    ...(DisableApiStop === true ? { disableApiStop: true } : {}),
    ...(behavior === undefined || behavior === '' ? {} : { shutdownBehavior: checkedBehavior(behavior) }),
    ...(EbsOptimized === true ? { ebsOptimized: checkedOptimization(type) } : {}),
    ...(checkedMonitoring(input.Monitoring) ? { monitoring: true } : {}),
    ...(metadata === undefined ? {} : { metadataOptions: changedMetadataOptions(metadata, metadataOptionsOf({})) }),
  };
};

const checkedMonitoring = ({ Enabled, ...rest }: Partial<ec2.RunInstancesMonitoringEnabled> = {}): boolean => {
  refuseParameters({ ...rest });
  return Enabled === true;
};

/** @param text base64. */
export const checkedUserData = (text: string): string => {
  if (!BASE64.test(text)) throw invalidParameterValue('Invalid BASE64 encoding of user data.');
  if (Buffer.byteLength(text, 'base64') > MAX_USER_DATA_BYTES)
    throw invalidParameterValue(`User data is limited to ${String(MAX_USER_DATA_BYTES)} bytes`);
  return text;
};

export const checkedBehavior = (text: string | undefined): 'stop' | 'terminate' => {
  if (text === 'stop' || text === 'terminate') return text;
  throw invalidParameterValue(
    `Value (${text ?? 'null'}) for parameter instanceInitiatedShutdownBehavior is invalid. Unknown behavior.`,
  );
};

/** @throws AwsError Unsupported for the types that EC2 has no dedicated throughput for. */
export const checkedOptimization = (type: string): true => {
  if (instanceType(type)?.ebsOptimizedSupport === 'unsupported')
    throw new AwsError({
      code: 'Unsupported',
      message: `EBS-optimized instances are not supported for your requested configuration. Please check the documentation for supported configurations.`,
    });
  return true;
};

/** What an instance may have by its type. @throws AwsError */
export const checkedCredits = (text: string | undefined, type: string): CpuCredits => {
  if (text !== 'standard' && text !== 'unlimited')
    throw invalidParameterValue(`Value (${text ?? 'null'}) for parameter cpuCredits is invalid.`);
  if (!isBurstable(type))
    throw invalidParameterCombination(
      `The creditSpecification parameter is not supported for instance type '${type}'.`,
    );
  return text;
};

const oneOf = <T extends string>(name: string, value: string, known: readonly T[]): T => {
  const found = known.find((one) => one === value);
  if (found === undefined) throw invalidParameterValue(`Value (${value}) for parameter ${name} is invalid.`);
  return found;
};

const given = (text: string | undefined): text is string => text !== undefined && text !== '';

/** @throws AwsError for a value that EC2 does not know. */
export const changedMetadataOptions = (
  input: ec2.InstanceMetadataOptionsRequest,
  before: MetadataOptions,
): MetadataOptions => {
  const {
    HttpTokens,
    HttpPutResponseHopLimit: hops,
    HttpEndpoint,
    HttpProtocolIpv6,
    InstanceMetadataTags,
    ...rest
  } = input;
  refuseParameters({ ...rest });
  const onOrOff = ['enabled', 'disabled'] as const;
  if (hops !== undefined && (hops < 1 || hops > MAX_HOP_LIMIT))
    throw invalidParameterValue(`Value (${String(hops)}) for parameter HttpPutResponseHopLimit is invalid.`);
  return {
    httpTokens: given(HttpTokens) ? oneOf('HttpTokens', HttpTokens, ['optional', 'required']) : before.httpTokens,
    httpPutResponseHopLimit: hops ?? before.httpPutResponseHopLimit,
    httpEndpoint: given(HttpEndpoint) ? oneOf('HttpEndpoint', HttpEndpoint, onOrOff) : before.httpEndpoint,
    httpProtocolIpv6: given(HttpProtocolIpv6)
      ? oneOf('HttpProtocolIpv6', HttpProtocolIpv6, onOrOff)
      : before.httpProtocolIpv6,
    instanceMetadataTags: given(InstanceMetadataTags)
      ? oneOf('InstanceMetadataTags', InstanceMetadataTags, onOrOff)
      : before.instanceMetadataTags,
  };
};
