import { zonesOf } from '@holdfast/contracts';
import { column, type SqlFilter } from '@holdfast/ec2';
import { defaultVpc, SECURITY_GROUP_NAME } from '../../domain/default-vpc.ts';
import { metadataOptionsOf } from '../../domain/instance-settings.ts';
import { allInstanceTypes, isEnaSupported } from '../../domain/instance-types.ts';

type Filters = Readonly<Record<string, SqlFilter>>;

const STATE_CODE = `CASE state WHEN 'pending' THEN '0' WHEN 'running' THEN '16' WHEN 'shutting-down' THEN '32'
  WHEN 'stopping' THEN '64' WHEN 'stopped' THEN '80' ELSE '48' END`;

const none = column('NULL::text');
const always = (value: string) => column(`'${value}'`);

/** Of instances that have ended EC2 tells no network. */
const ofLiving = (expression: string) => column(`(CASE WHEN state <> 'terminated' THEN ${expression} END)`);

/** As the domain makes ids of an instance's id. */
const sha256 = (prefix: string) => `encode(sha256(convert_to('${prefix}/' || instance_id, 'UTF8')), 'hex')`;
const idOf = (prefix: string) => `'${prefix}-0' || substr(${sha256(prefix)}, 1, 16)`;
const MAC_ADDRESS = `'02:' || rtrim(regexp_replace(substr(${sha256('mac')}, 1, 10), '(..)', '\\1:', 'g'), ':')`;

const SOURCE_DEST_CHECK = `coalesce(settings ->> 'sourceDestCheck', 'true')`;

const dnsName = (region: string) => {
  const domain = region === 'us-east-1' ? 'ec2.internal' : `${region}.compute.internal`;
  return `'ip-' || replace(private_ip_address, '.', '-') || '.${domain}'`;
};

/** What nothing here has: addresses of the internet, IPv6, outposts, operators. */
const NO_NETWORK: Filters = Object.fromEntries(
  [
    ...[
      'allocation-id',
      'association-id',
      'carrier-ip',
      'customer-owned-ip',
      'ip-owner-id',
      'public-dns-name',
      'public-ip',
    ].flatMap((name) => [`addresses.association.${name}`, `association.${name}`]),
    ...['ipv4-prefixes.ipv4-prefix', 'ipv6-address', 'ipv6-addresses.ipv6-address', 'ipv6-addresses.is-primary-ipv6'],
    ...['ipv6-prefixes.ipv6-prefix', 'operator.principal', 'outpost-arn', 'public-dns-name', 'requester-id'],
    ...['tag-key', 'tag-value'],
  ].map((name) => [`network-interface.${name}`, none]),
);

/**
 * What an instance's place in the default VPC comes to. Ids and names of Regions are made of letters, digits and hyphens, so
 * that they can be quoted.
 */
const networkFilters = (accountId: string, region: string): Filters => {
  const { vpcId, securityGroupId, subnets } = defaultVpc(accountId, region);
  const cases = subnets.map(({ zoneName, subnetId }) => `WHEN availability_zone = '${zoneName}' THEN '${subnetId}'`);
  const subnetId = ofLiving(`(CASE ${cases.join(' ')} END)`);
  const group = ofLiving(`'${securityGroupId}'`);
  const groupName = ofLiving(`'${SECURITY_GROUP_NAME}'`);
  const vpc = ofLiving(`'${vpcId}'`);
  const address = ofLiving('private_ip_address');
  const privateDnsName = ofLiving(dnsName(region));
  const yes = ofLiving(`'true'`);
  const no = ofLiving(`'false'`);
  const interfaces: Filters = {
    'addresses.primary': yes,
    'addresses.private-dns-name': privateDnsName,
    'addresses.private-ip-address': address,
    'attachment.attach-time': ofLiving('launch_time'),
    'attachment.attachment-id': ofLiving(idOf('eni-attach')),
    'attachment.delete-on-termination': yes,
    'attachment.device-index': ofLiving(`'0'`),
    'attachment.instance-id': ofLiving('instance_id'),
    'attachment.instance-owner-id': ofLiving('account_id'),
    'attachment.network-card-index': ofLiving(`'0'`),
    'attachment.status': ofLiving(`'attached'`),
    'availability-zone': ofLiving('availability_zone'),
    'deny-all-igw-traffic': no,
    description: ofLiving(`''`),
    'group-id': group,
    'group-name': groupName,
    'ipv6-native': no,
    'mac-address': ofLiving(MAC_ADDRESS),
    'network-interface-id': ofLiving(idOf('eni')),
    'operator.managed': no,
    'owner-id': ofLiving('account_id'),
    'private-dns-name': privateDnsName,
    'private-ip-address': address,
    'requester-managed': no,
    'source-dest-check': ofLiving(SOURCE_DEST_CHECK),
    status: ofLiving(`'in-use'`),
    'subnet-id': subnetId,
    'vpc-id': vpc,
  };
  const ofInterface = Object.entries(interfaces).map(
    ([name, filter]) => [`network-interface.${name}`, filter] as const,
  );
  return {
    ...NO_NETWORK,
    ...Object.fromEntries(ofInterface),
    'instance.group-id': group,
    'instance.group-name': groupName,
    'private-dns-name': privateDnsName,
    'source-dest-check': ofLiving(SOURCE_DEST_CHECK),
    'subnet-id': subnetId,
    'vpc-id': vpc,
  };
};

/** Names of types are made of letters, digits, dots and hyphens, so that they can be quoted. */
const typesWithEna = () =>
  allInstanceTypes()
    .filter(({ name }) => isEnaSupported(name))
    .map(({ name }) => `'${name}'`)
    .join(', ');

/** What no instance here has. */
const WITHOUT: Filters = Object.fromEntries(
  [
    ...['affinity', 'boot-mode', 'capacity-reservation-id', 'dns-name', 'host-id'],
    ...['capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id'],
    ...['capacity-reservation-specification.capacity-reservation-target.capacity-reservation-resource-group-arn'],
    ...['instance-lifecycle', 'ip-address', 'ipv6-address', 'kernel-id'],
    ...['operator.principal', 'outpost-arn', 'placement-group-name', 'placement-partition-number', 'platform'],
    ...['product-code', 'product-code.type', 'ramdisk-id', 'requester-id', 'spot-instance-request-id', 'tpm-support'],
  ].map((name) => [name, none]),
);

/** Never set, they are what an image that says nothing of them gives. */
const METADATA_OPTIONS = metadataOptionsOf({});
const metadataOption = (name: keyof typeof METADATA_OPTIONS) =>
  column(`coalesce(settings -> 'metadataOptions' ->> '${name}', '${String(METADATA_OPTIONS[name])}')`);

const FILTERS: Filters = {
  ...WITHOUT,
  architecture: column('architecture'),
  'availability-zone': column('availability_zone'),
  'capacity-reservation-specification.capacity-reservation-preference': always('open'),
  'client-token': column(`coalesce(client_token, '')`),
  'current-instance-boot-mode': column(`(CASE architecture WHEN 'arm64' THEN 'uefi' ELSE 'legacy-bios' END)`),
  'ebs-optimized': column(`coalesce(settings ->> 'ebsOptimized', 'false')`),
  'ena-support': (any) => any(`(CASE WHEN instance_type IN (${typesWithEna()}) THEN 'true' ELSE 'false' END)`),
  'enclave-options.enabled': always('false'),
  'hibernation-options.configured': always('false'),
  'iam-instance-profile.arn': column(`(instance_profile ->> 'arn')`),
  'iam-instance-profile.id': column(`(instance_profile ->> 'id')`),
  'image-id': column('image_id'),
  hypervisor: always('xen'),
  'instance-id': column('instance_id'),
  'instance-state-code': column(STATE_CODE),
  'instance-state-name': column('state'),
  'instance-type': column('instance_type'),
  'key-name': column('key_name'),
  'launch-index': column('launch_index::text'),
  'launch-time': column('launch_time'),
  'maintenance-options.auto-recovery': always('default'),
  'metadata-options.http-endpoint': metadataOption('httpEndpoint'),
  'metadata-options.http-protocol-ipv4': always('enabled'),
  'metadata-options.http-protocol-ipv6': metadataOption('httpProtocolIpv6'),
  'metadata-options.http-put-response-hop-limit': metadataOption('httpPutResponseHopLimit'),
  'metadata-options.http-tokens': metadataOption('httpTokens'),
  'metadata-options.instance-metadata-tags': metadataOption('instanceMetadataTags'),
  'metadata-options.state': always('applied'),
  'monitoring-state': column(`(CASE settings ->> 'monitoring' WHEN 'true' THEN 'enabled' ELSE 'disabled' END)`),
  'network-performance-options.bandwidth-weighting': always('default'),
  'operator.managed': always('false'),
  'owner-id': column('account_id'),
  'platform-details': always('Linux/UNIX'),
  'private-dns-name-options.enable-resource-name-dns-a-record': always('false'),
  'private-dns-name-options.enable-resource-name-dns-aaaa-record': always('false'),
  'private-dns-name-options.hostname-type': always('ip-name'),
  'private-ip-address': column('private_ip_address'),
  reason: column('transition_reason'),
  'reservation-id': column('reservation_id'),
  'root-device-name': column('root_device_name'),
  'root-device-type': column(`CASE WHEN root_device_name IS NULL THEN 'instance-store' ELSE 'ebs' END`),
  'state-reason-code': column(`(state_reason ->> 'code')`),
  'state-reason-message': column(`(state_reason ->> 'message')`),
  tenancy: always('default'),
  'usage-operation': always('RunInstances'),
  'usage-operation-update-time': column('launch_time'),
  'virtualization-type': always('hvm'),
};

/**
 * Of one account's instances in one Region. Those on block devices are not among them: volumes knows these.
 * @see DescribeInstances, "Filters"
 */
export const instanceFilters = (accountId: string, region: string): Filters => {
  const zones = zonesOf(region).map(
    ({ zoneName, zoneId }) => `WHEN availability_zone = '${zoneName}' THEN '${zoneId}'`,
  );
  return {
    ...FILTERS,
    ...networkFilters(accountId, region),
    'availability-zone-id': column(`(CASE ${zones.join(' ')} END)`),
  };
};

const whenRunning = (value: string, otherwise: string) =>
  column(`(CASE state WHEN 'running' THEN ${value} ELSE ${otherwise} END)`);

/** What runs is well; there are no events. @see DescribeInstanceStatus, "Filters" */
export const instanceStatusFilters = (accountId: string, region: string): Filters => {
  const ofInstances = Object.entries(instanceFilters(accountId, region)).filter(([name]) =>
    /^(?:availability-zone|instance-state|operator)/.test(name),
  );
  const checks = ['instance-status', 'system-status'].map(
    (name) => [`${name}.reachability`, whenRunning(`'passed'`, 'NULL')] as const,
  );
  const statuses = ['instance-status', 'system-status', 'attached-ebs-status'].map(
    (name) => [`${name}.status`, whenRunning(`'ok'`, `'not-applicable'`)] as const,
  );
  const events = ['code', 'description', 'instance-event-id', 'not-after', 'not-before', 'not-before-deadline'].map(
    (name) => [`event.${name}`, none] as const,
  );
  return {
    ...Object.fromEntries([...ofInstances, ...checks, ...statuses, ...events]),
    'application-status.status': none,
  };
};
