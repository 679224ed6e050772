import { instanceType } from './instance-types.ts';

export type CpuCredits = 'standard' | 'unlimited';

/** @see EC2, InstanceMetadataOptionsRequest */
export interface MetadataOptions {
  httpTokens: 'optional' | 'required';
  httpPutResponseHopLimit: number;
  httpEndpoint: 'enabled' | 'disabled';
  httpProtocolIpv6: 'enabled' | 'disabled';
  instanceMetadataTags: 'enabled' | 'disabled';
}

/** What a guest would go by, were one booted, and what protects it. One that is left out was never set. */
export interface InstanceSettings {
  /** Base64, as it was sent; empty: there is none any more. */
  userData?: string;
  cpuCredits?: CpuCredits;
  /** StopInstances is refused. */
  disableApiStop?: boolean;
  shutdownBehavior?: 'stop' | 'terminate';
  ebsOptimized?: boolean;
  metadataOptions?: MetadataOptions;
  /** Detailed: each minute. */
  monitoring?: boolean;
  /** Whether packets that are neither from nor to it are dropped. */
  sourceDestCheck?: boolean;
}

export const isMonitored = ({ monitoring }: InstanceSettings): boolean => monitoring ?? false;

export const isSourceDestChecked = ({ sourceDestCheck }: InstanceSettings): boolean => sourceDestCheck ?? true;

/** Settings that EC2 changes only while the instance is stopped. @see ModifyInstanceAttribute */
const NEED_A_STOP: readonly (keyof InstanceSettings)[] = ['userData', 'ebsOptimized'];

export const needsStop = (settings: InstanceSettings): boolean =>
  NEED_A_STOP.some((name) => settings[name] !== undefined);

export const isBurstable = (name: string): boolean => instanceType(name)?.burstable ?? false;

/** T2 instances begin with standard credits, later ones with unlimited. Null: the type knows no credits. */
export const cpuCreditsOf = (name: string, { cpuCredits }: InstanceSettings): CpuCredits | null => {
  if (!isBurstable(name)) return null;
  return cpuCredits ?? (name.startsWith('t2.') ? 'standard' : 'unlimited');
};

/** EC2's own, for an image that says nothing of the metadata service. */
const METADATA_OPTIONS: MetadataOptions = {
  httpTokens: 'optional',
  httpPutResponseHopLimit: 1,
  httpEndpoint: 'enabled',
  httpProtocolIpv6: 'disabled',
  instanceMetadataTags: 'disabled',
};

export const metadataOptionsOf = ({ metadataOptions }: InstanceSettings): MetadataOptions =>
  metadataOptions ?? METADATA_OPTIONS;
