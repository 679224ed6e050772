import { REGION } from './account.ts';
import { holdfast } from './command-line.ts';

interface Logged {
  readonly service: string;
  readonly type: string;
  readonly principal?: string;
  readonly data: {
    readonly keyArn?: string;
    readonly grantId?: string | null;
    readonly operation?: string;
    readonly principalArn?: string;
    readonly viaService?: string | null;
    readonly encryptionContext?: Record<string, string>;
    readonly granteePrincipal?: string;
    readonly retiringPrincipal?: string;
    readonly operations?: readonly string[];
    readonly constraints?: Record<string, Record<string, string>> | null;
  };
}

const EBS = `ec2.${REGION}.amazonaws.com`;
/** Who: F a forwarded caller, S the service itself, I an instance's host. */
const who = (arn = ''): string => {
  if (arn.includes(':assumed-role/aws:ec2-infrastructure/i-')) return 'I';
  return arn.endsWith('amazonaws.com') ? 'S' : 'F';
};

/** One line of a table: who, what, and under which grant or with which pair of the encryption context. */
const stepOf = ({ type, principal, data }: Logged, nameOf: (id: string) => string): string => {
  const context = (pairs: Record<string, string> = {}) => nameOf(pairs['aws:ebs:id'] ?? 'none');
  if (type === 'KeyUsed') {
    const grant = data.grantId === null ? '' : ' under a grant';
    return `${who(data.principalArn)} ${data.operation ?? ''} ${context(data.encryptionContext)}${grant}`;
  }
  if (type === 'GrantCreated') {
    const [kind, pairs] = Object.entries(data.constraints ?? {})[0] ?? ['none', {}];
    const equals = kind === 'EncryptionContextEquals' ? '=' : '>=';
    const retirable = data.retiringPrincipal === EBS ? '' : ' not retired by EBS';
    const operations = (data.operations ?? []).join('+');
    return `${who(principal)} CreateGrant to ${who(data.granteePrincipal)}: ${operations} ${equals} ${context(pairs)}${retirable}`;
  }
  return `${who(principal)} ${type === 'GrantRetired' ? 'RetireGrant' : type}`;
};

/**
 * What kms' event log tells of a key, in order.
 * @param names of volumes and snapshots, by their ids.
 */
export const trafficOf = async (
  home: string,
  keyArn: string,
  names: Readonly<Record<string, string>>,
): Promise<string[]> => {
  const { stdout } = await holdfast(home, 'events', '--json');
  const logged = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Logged)
    .filter(({ service }) => service === 'kms');
  const ofKey = new Set(logged.filter(({ data }) => data.keyArn === keyArn).map(({ data }) => data.grantId));
  const isOfKey = ({ type, data }: Logged) =>
    data.keyArn === keyArn
      ? type === 'KeyUsed' || type === 'GrantCreated'
      : type.startsWith('Grant') && data.grantId !== null && ofKey.has(data.grantId);
  return logged.filter(isOfKey).map((event) => stepOf(event, (id) => names[id] ?? id));
};
