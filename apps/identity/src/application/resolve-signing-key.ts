import { deriveSigningKey } from '@holdfast/aws-protocol';
import { instant, type InternalRequests, type Instant, type Principal } from '@holdfast/contracts';
import { seal } from '@holdfast/sealing';
import type { Iam } from './ports.ts';

type Resolve = InternalRequests['identity']['ResolveSigningKey'];

interface Found {
  principal: Principal;
  secretAccessKey: string;
  sessionToken?: string;
  expiresAt?: Instant;
}

const longLivedKey = async (iam: Iam, accessKeyId: string): Promise<Found | null> => {
  const key = await iam.tables.activeAccessKey(accessKeyId);
  if (key === null) return null;
  const { accountId, userId: principalId, userArn: arn, userName, wrapped } = key;
  const secret = await iam.keySecrets.open(accessKeyId, wrapped);
  const secretAccessKey = secret.toString('utf8');
  secret.fill(0);
  return { principal: { type: 'User', arn, accountId, principalId, userName, accessKeyId }, secretAccessKey };
};

/** The user, or the one behind a federated user, may have been renamed since the session was issued. */
const currentPrincipal = async (iam: Iam, principal: Principal): Promise<Principal> => {
  const { type, principalId, issuerId } = principal;
  const userId = type === 'User' ? principalId : type === 'FederatedUser' ? issuerId : undefined;
  const user = userId === undefined ? null : await iam.tables.identityById(userId);
  if (user === null) return principal;
  return { ...principal, ...(type === 'User' ? { arn: user.arn } : { issuerArn: user.arn }), userName: user.name };
};

const temporaryKey = async (iam: Iam, accessKeyId: string): Promise<Found | null> => {
  const session = await iam.tables.session(accessKeyId);
  if (session === null) return null;
  // Whoever verifies goes by the system's clock; in development this one may have been turned.
  const remainingMs = session.expiresAt.getTime() - iam.clock.now().getTime();
  return {
    principal: await currentPrincipal(iam, session.principal),
    ...iam.sessionSecrets.of(accessKeyId, session.secretsKeyId),
    expiresAt: instant(new Date(Date.now() + remainingMs)),
  };
};

const rootKey = (iam: Iam, accessKeyId: string): Found | null => {
  const key = iam.rootKeys.find(accessKeyId);
  return key === null ? null : { principal: { ...key.principal, accessKeyId }, secretAccessKey: key.secretAccessKey };
};

const find = async (iam: Iam, accessKeyId: string): Promise<Found | null> => {
  const root = rootKey(iam, accessKeyId);
  if (root !== null) return root;
  if (accessKeyId.startsWith('AKIA')) return longLivedKey(iam, accessKeyId);
  return accessKeyId.startsWith('ASIA') ? temporaryKey(iam, accessKeyId) : null;
};

/** Gives the gateway one day's signing key rather than the secret, and sealed: neither crosses the bus in the clear. */
export const resolveSigningKey = async (iam: Iam, input: Resolve['in']): Promise<Resolve['out']> => {
  const { accessKeyId, date, region, service, recipientPublicKey } = input;
  const key = await find(iam, accessKeyId);
  if (key === null) return null;
  const signingKey = deriveSigningKey(key.secretAccessKey, date, region, service).export();
  const sealedSigningKey = await seal(recipientPublicKey, signingKey, 'signing-key');
  signingKey.fill(0);
  if (accessKeyId.startsWith('AKIA')) iam.keyUses.note(accessKeyId, { usedAt: iam.clock.instant(), region, service });
  const { principal, sessionToken, expiresAt } = key;
  const answer = { principal, accountId: principal.accountId, sealedSigningKey };
  if (sessionToken === undefined) return answer;
  const token = Buffer.from(sessionToken, 'utf8');
  return {
    ...answer,
    sealedSessionToken: await seal(recipientPublicKey, token, 'session-token'),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
};
