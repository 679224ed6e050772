import { describe, expect, it } from 'vitest';
import { defaultVpc, networkInterfaceOf, privateAddress, subnetOf } from './default-vpc.ts';

const ADA = '111122223333';
const BOB = '444455556666';
const REGION = 'eu-central-1';

const idsOf = (vpc: ReturnType<typeof defaultVpc>) => [
  ...[vpc.vpcId, vpc.securityGroupId, vpc.routeTableId, vpc.internetGatewayId, vpc.networkAclId, vpc.dhcpOptionsId],
  ...vpc.subnets.map(({ subnetId }) => subnetId),
];

describe('the default VPC', () => {
  it('is always the same for an account and Region, and no other’s', () => {
    expect(defaultVpc(ADA, REGION)).toEqual(defaultVpc(ADA, REGION));
    const all = [defaultVpc(ADA, REGION), defaultVpc(BOB, REGION), defaultVpc(ADA, 'us-east-1')].flatMap(idsOf);
    expect(new Set(all).size).toBe(27);
    for (const id of all) expect(id).toMatch(/^[a-z]+-[0-9a-f]{17}$/);
  });

  it('has a subnet for each zone, apart from one another', () => {
    expect(defaultVpc(ADA, REGION).subnets.map(({ zoneName, cidrBlock }) => [zoneName, cidrBlock])).toEqual([
      ['eu-central-1a', '172.31.0.0/20'],
      ['eu-central-1b', '172.31.16.0/20'],
      ['eu-central-1c', '172.31.32.0/20'],
    ]);
    expect(subnetOf(defaultVpc(ADA, REGION), 'eu-central-1b')?.cidrBlock).toBe('172.31.16.0/20');
    expect(subnetOf(defaultVpc(ADA, REGION), 'us-east-1a')).toBeNull();
  });
});

describe('an instance in it', () => {
  it('has an address of its zone’s subnet, which stays', () => {
    for (let n = 0; n < 300; n++) {
      const address = privateAddress(`i-${String(n)}`, REGION, 'eu-central-1b');
      const [, , third = 0, fourth = 0] = address.split('.').map(Number);
      expect(third >> 4).toBe(1);
      expect(fourth).toBeGreaterThanOrEqual(4);
      expect(fourth).toBeLessThanOrEqual(253);
      expect(privateAddress(`i-${String(n)}`, REGION, 'eu-central-1b')).toBe(address);
    }
  });

  it('has an interface of its own', () => {
    expect(networkInterfaceOf('i-1')).toEqual(networkInterfaceOf('i-1'));
    expect(networkInterfaceOf('i-1').networkInterfaceId).not.toBe(networkInterfaceOf('i-2').networkInterfaceId);
    expect(networkInterfaceOf('i-1').macAddress).toMatch(/^02(:[0-9a-f]{2}){5}$/);
  });
});
