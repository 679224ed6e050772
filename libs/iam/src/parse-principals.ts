import { isRecord, malformed, type ParseScope, stringList, SYNTAX } from './parse-fault.ts';
import type { PrincipalList } from './policy.ts';

const ACCOUNT = /^\d{12}$/;
const ROOT_ARN = /^arn:aws(?:-cn|-us-gov)?:iam::(\d{12}):root$/;
/** Users and roles with their paths, sessions of roles and of federated users. */
const IDENTITY_ARN =
  /^arn:aws(?:-cn|-us-gov)?:(?:iam::\d{12}:(?:user|role)\/[\w+=,.@:/-]+|sts::\d{12}:(?:assumed-role\/[\w+=,.@:-]+\/[\w+=,.@-]+|federated-user\/[\w+=,.@-]+))$/;
/** What remains of a user or role that was deleted. */
const UNIQUE_ID = /^A(?:IDA|ROA)[A-Z0-9]{12,}$/;
const SERVICE = /^[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?$/;
const FEDERATED = /^(?:arn:aws(?:-cn|-us-gov)?:iam::\d{12}:(?:saml-provider|oidc-provider)\/\S+|[a-z0-9.-]+)$/;

/** Account ids stand for root ARNs too: the two spellings mean the same. */
const awsPrincipal = (value: string): string | null => {
  const account = ACCOUNT.test(value) ? value : ROOT_ARN.exec(value)?.[1];
  if (account !== undefined) return account;
  return IDENTITY_ARN.test(value) || UNIQUE_ID.test(value) ? value : null;
};

const invalidPrincipal = ({ kind }: ParseScope, type: string, value: string, path: string): never => {
  const message =
    kind === 'key'
      ? 'Policy contains a statement with one or more invalid principals.'
      : `Invalid principal in policy: "${type}":"${value}"`;
  return malformed(message, path, `${JSON.stringify(value)} is no ${type} principal`);
};

const EVERYONE = { everyone: true, aws: [], service: [], federated: [] };

/**
 * Checks the form only: whether a principal exists is known elsewhere. Wildcards other than a lone `*` are refused.
 * @throws PolicyError
 */
export const parsePrincipals = (value: unknown, not: boolean, path: string, scope: ParseScope): PrincipalList => {
  if (value === '*') return { not, ...EVERYONE };
  if (!isRecord(value)) return malformed(SYNTAX, path, 'must be "*" or an object of principals by type');
  const found = { everyone: false, aws: [] as string[], service: [] as string[], federated: [] as string[] };
  for (const [type, listed] of Object.entries(value)) {
    const at = `${path}.${type}`;
    for (const name of stringList(listed, at)) {
      const aws = type === 'AWS' ? awsPrincipal(name) : null;
      if (type === 'AWS' && name === '*') found.everyone = true;
      else if (aws !== null) found.aws.push(aws);
      else if (type === 'Service' && SERVICE.test(name)) found.service.push(name);
      else if (type === 'Federated' && scope.kind !== 'key' && FEDERATED.test(name)) found.federated.push(name);
      else invalidPrincipal(scope, type, name, at);
    }
  }
  const { everyone, aws, service, federated } = found;
  if (!everyone && aws.length + service.length + federated.length === 0) {
    return malformed(scope.kind === 'key' ? NO_PRINCIPAL : SYNTAX, path, 'names no principal');
  }
  return { not, everyone, aws, service, federated };
};

export const NO_PRINCIPAL = 'Policy contains a statement with no principal.';
