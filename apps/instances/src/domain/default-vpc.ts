import { createHash } from 'node:crypto';
import { type Zone, zonesOf } from '@holdfast/contracts';

/** One of the default VPC's subnets, which each zone has. */
export interface Subnet extends Zone {
  subnetId: string;
  /** 4,096 addresses. */
  cidrBlock: string;
}

/** The network that each account has in each Region; nobody can change it, and nothing is routed. */
export interface DefaultVpc {
  accountId: string;
  region: string;
  vpcId: string;
  cidrBlock: string;
  subnets: readonly Subnet[];
  /** Named `default`: lets in what its own members send, and everything out. */
  securityGroupId: string;
  ingressRuleId: string;
  egressRuleId: string;
  routeTableId: string;
  routeTableAssociationId: string;
  internetGatewayId: string;
  networkAclId: string;
  dhcpOptionsId: string;
  cidrAssociationId: string;
}

export const SECURITY_GROUP_NAME = 'default';

const CIDR_BLOCK = '172.31.0.0/16';
/** Third octets that a subnet spans: its block is a /20. */
const SUBNET_OCTETS = 16;

const digest = (name: string) => createHash('sha256').update(name).digest();

/** The same id for the same name, always. */
const idOf = (prefix: string, name: string) => `${prefix}-0${digest(`${prefix}/${name}`).toString('hex').slice(0, 16)}`;

export const defaultVpc = (accountId: string, region: string): DefaultVpc => {
  const name = `${accountId}/${region}`;
  return {
    accountId,
    region,
    vpcId: idOf('vpc', name),
    cidrBlock: CIDR_BLOCK,
    subnets: zonesOf(region).map((zone, index) => ({
      ...zone,
      subnetId: idOf('subnet', `${name}/${zone.zoneName}`),
      cidrBlock: `172.31.${String(index * SUBNET_OCTETS)}.0/20`,
    })),
    securityGroupId: idOf('sg', name),
    ingressRuleId: idOf('sgr', `${name}/ingress`),
    egressRuleId: idOf('sgr', `${name}/egress`),
    routeTableId: idOf('rtb', name),
    routeTableAssociationId: idOf('rtbassoc', name),
    internetGatewayId: idOf('igw', name),
    networkAclId: idOf('acl', name),
    dhcpOptionsId: idOf('dopt', name),
    cidrAssociationId: idOf('vpc-cidr-assoc', name),
  };
};

/** The subnet of an instance in this zone. */
export const subnetOf = ({ subnets }: DefaultVpc, availabilityZone: string): Subnet | null =>
  subnets.find(({ zoneName }) => zoneName === availabilityZone) ?? null;

/**
 * An address in the zone's subnet. Nobody routes it; it has to look like one and to stay the same. EC2 keeps a subnet's first
 * four addresses for itself.
 */
export const privateAddress = (instanceId: string, region: string, availabilityZone: string): string => {
  const index = zonesOf(region).findIndex(({ zoneName }) => zoneName === availabilityZone);
  const [third = 0, fourth = 0] = digest(instanceId);
  return `172.31.${String(Math.max(index, 0) * SUBNET_OCTETS + (third % SUBNET_OCTETS))}.${String(4 + (fourth % 250))}`;
};

/** The one network interface of an instance, and what names it. */
export const networkInterfaceOf = (instanceId: string) => ({
  networkInterfaceId: idOf('eni', instanceId),
  attachmentId: idOf('eni-attach', instanceId),
  /** Locally administered. */
  macAddress: `02:${[...digest(`mac/${instanceId}`).subarray(0, 5)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`,
});
