/** The Regions and Availability Zones that Holdfast offers: the commercial partition's, every one opted in. */
const REGION_NAMES = [
  'af-south-1', 'ap-east-1', 'ap-northeast-1', 'ap-northeast-2', 'ap-northeast-3', 'ap-south-1', 'ap-south-2',
  'ap-southeast-1', 'ap-southeast-2', 'ap-southeast-3', 'ap-southeast-4', 'ca-central-1', 'ca-west-1', 'eu-central-1',
  'eu-central-2', 'eu-north-1', 'eu-south-1', 'eu-south-2', 'eu-west-1', 'eu-west-2', 'eu-west-3', 'il-central-1',
  'me-central-1', 'me-south-1', 'sa-east-1', 'us-east-1', 'us-east-2', 'us-west-1', 'us-west-2',
] as const; // prettier-ignore

export const REGIONS: readonly string[] = REGION_NAMES;

/** `use1-az1` from `us-east-1` and 1: the two letters, each word's initial, the number. */
const zoneIdPrefix = (region: string) => {
  const [area = '', ...rest] = region.split('-');
  const number = rest.pop() ?? '';
  const word = rest.join('');
  const short: Record<string, string> = { northeast: 'ne', southeast: 'se', northwest: 'nw', southwest: 'sw' };
  return `${area}${short[word] ?? word.charAt(0)}${number}`;
};

export interface Zone {
  zoneName: string;
  zoneId: string;
}

/** Every Region has zones a, b and c here. */
export const zonesOf = (region: string): readonly Zone[] =>
  REGIONS.includes(region)
    ? ['a', 'b', 'c'].map((letter, i) => ({
        zoneName: region + letter,
        zoneId: `${zoneIdPrefix(region)}-az${String(i + 1)}`,
      }))
    : [];
