import { z } from 'zod';
import type { AccountId, Region } from './ids.ts';

/** Who calls, in the words of CloudTrail's userIdentity. */
export const principalSchema = z.object({
  type: z.enum(['Root', 'User', 'AssumedRole', 'FederatedUser', 'AWSService']),
  /**
   * `arn:aws:iam::<account>:root` or `:user/<path><name>`, `arn:aws:sts::<account>:assumed-role/<role>/<session>` or
   * `:federated-user/<name>`, or a service's DNS name.
   */
  arn: z.string(),
  accountId: z.string().transform((id) => id as AccountId),
  /** Root: the account id; user: `AIDA…`; role session: `AROA…:<session>`; federated user: `<account>:<name>`. */
  principalId: z.string(),
  /** Of a user; of a federated user the one who federated it. */
  userName: z.string().optional(),
  /** Of a role session: the role's own ARN, with its path. It is what `aws:PrincipalArn` says. */
  roleArn: z.string().optional(),
  /** Of a federated user: the user who asked for the session, with its path, and that user's unique id. Absent: root did. */
  issuerArn: z.string().optional(),
  issuerId: z.string().optional(),
  /** Of a role session: set once when the first role was assumed, and handed on to every session made from it. */
  sourceIdentity: z.string().optional(),
  /** Of a role session, and a federated user's name. */
  sessionName: z.string().optional(),
  /** Passed when the session was made; they override the user's or role's tags. */
  sessionTags: z.record(z.string(), z.string()).optional(),
  /** ISO-8601, when temporary credentials were issued: `aws:TokenIssueTime`. */
  tokenIssueTime: z.string().optional(),
  /** The access key that signed; of temporary credentials it also names the session. */
  accessKeyId: z.string().optional(),
});
export type Principal = z.infer<typeof principalSchema>;

/** What travels with every request, as one JSON header, and is kept as metadata of the events it causes. */
export const requestContextSchema = z.object({
  requestId: z.string(),
  /** The account and Region that the call acts in. */
  accountId: z.string().transform((id) => id as AccountId),
  region: z.string().transform((name) => name as Region),
  principal: principalSchema,
  sourceIp: z.string(),
  userAgent: z.string(),
  /** W3C Trace Context. */
  traceparent: z.string().optional(),
  /** Epoch milliseconds after which nobody waits for the answer. */
  deadlineMs: z.number(),
  /** `ec2.<region>.amazonaws.com` on calls a service makes on the caller's behalf: kms:ViaService. */
  viaService: z.string().optional(),
  /**
   * Base64 of the HPKE public key (RFC 9180, DHKEM P-256, raw) of whoever may read the answer's plaintext. Without it
   * an operation that would answer with plaintext is refused.
   */
  recipientPublicKey: z.string().optional(),
  /**
   * ARNs of what the caller's policies keep from the call, where it is carried out all the same and answers for each resource.
   * Absent: nothing, or such a call is refused as a whole.
   */
  deniedResources: z.array(z.string()).optional(),
});
export type RequestContext = z.infer<typeof requestContextSchema>;

/** The part of a context that outlives its request: stored with events, and used for work done later on its behalf. */
export type Caller = Omit<RequestContext, 'deadlineMs' | 'recipientPublicKey' | 'deniedResources'>;

export const callerOf = (context: RequestContext): Caller => {
  const { requestId, accountId, region, principal, sourceIp, userAgent, traceparent, viaService } = context;
  return { requestId, accountId, region, principal, sourceIp, userAgent, traceparent, viaService };
};

/** The service principal that EBS acts as under its own grants. */
export const ebsServicePrincipal = (region: Region, accountId: AccountId): Principal => ({
  type: 'AWSService',
  arn: `ec2.${region}.amazonaws.com`,
  accountId,
  principalId: `ec2.${region}.amazonaws.com`,
});

/** The role session under which an instance's host decrypts a volume's data key. */
export const instancePrincipal = (accountId: AccountId, instanceId: string): Principal => ({
  type: 'AssumedRole',
  arn: `arn:aws:sts::${accountId}:assumed-role/aws:ec2-infrastructure/${instanceId}`,
  accountId,
  principalId: `${accountId}:aws:ec2-infrastructure:${instanceId}`,
});
