import { ebsServicePrincipal, instancePrincipal } from '@holdfast/contracts';
import type { AccountId, Caller, InstanceId, Region, RequestContext } from '@holdfast/contracts';

/** AWS's CreateGrantRequest, as far as EBS uses it. */
export interface GrantRequest {
  KeyId: string;
  GranteePrincipal: string;
  RetiringPrincipal: string;
  Operations: ('Decrypt' | 'Encrypt')[];
  Constraints: { EncryptionContextSubset?: Record<string, string>; EncryptionContextEquals?: Record<string, string> };
  /** KMS answers a repeated request of the same name with the grant it already made: what makes a retry safe. */
  Name: string;
}

type EncryptionContext = Record<string, string>;

const grant = (
  keyArn: string,
  grantee: string,
  region: Region,
  constraints: GrantRequest['Constraints'],
  name: string,
): GrantRequest => ({
  KeyId: keyArn,
  GranteePrincipal: grantee,
  RetiringPrincipal: `ec2.${region}.amazonaws.com`,
  Operations: ['Decrypt'],
  Constraints: constraints,
  Name: name,
});

/** Lets EBS read a new volume's data key once, while its blocks are made. */
export const volumeGrant = (keyArn: string, region: Region, context: EncryptionContext, name: string): GrantRequest =>
  grant(keyArn, `ec2.${region}.amazonaws.com`, region, { EncryptionContextSubset: context }, name);

/** Lets EBS read the data key of a copy's source, of the copy itself or of the one before it; or wrap the copy's. */
export const copyGrant = (
  keyArn: string,
  region: Region,
  context: EncryptionContext,
  name: string,
  operation: 'Decrypt' | 'Encrypt' = 'Decrypt',
): GrantRequest => ({
  ...grant(keyArn, `ec2.${region}.amazonaws.com`, region, { EncryptionContextEquals: context }, name),
  Operations: [operation],
});

/** Lets the host of an instance read a volume's data key as long as the volume is attached. */
export const attachmentGrant = (
  keyArn: string,
  { accountId, region }: { accountId: AccountId; region: Region },
  instanceId: InstanceId,
  context: EncryptionContext,
  name: string,
): GrantRequest =>
  grant(keyArn, instancePrincipal(accountId, instanceId).arn, region, { EncryptionContextSubset: context }, name);

/** The service by which KMS sees a call that EC2 forwards: the condition key kms:ViaService. */
const viaEc2 = (region: string) => `ec2.${region}.amazonaws.com`;

/**
 * A call that EC2 makes with its caller's own permissions.
 * @param deadlineMs epoch milliseconds.
 */
export const forwardedContext = (caller: Caller, deadlineMs: number): RequestContext => ({
  ...caller,
  viaService: viaEc2(caller.region),
  deadlineMs,
});

/** A call that EBS makes as itself, under a grant or as a grant's retiring principal. */
export const ebsServiceContext = (caller: Caller, deadlineMs: number): RequestContext => ({
  ...caller,
  principal: ebsServicePrincipal(caller.region, caller.accountId),
  viaService: viaEc2(caller.region),
  deadlineMs,
});
