import type { iam as api } from '@holdfast/aws-protocol';
import { AwsError, type RequestContext } from '@holdfast/contracts';
import type { ActionsOf } from './action.ts';
import type { Iam } from './ports.ts';
import { existingRow, userNameOf } from './support.ts';

const NONE = { IsTruncated: false } as const;

/** Throws unless the user exists; the root user, who is asked about without a name, has none of these either. */
const ofUser = async (iam: Iam, name: string | undefined, context: RequestContext): Promise<string> => {
  if (name === undefined && context.principal.type === 'Root') return 'root';
  return (await existingRow(iam, context, 'user', await userNameOf(iam, name, context))).name;
};

const noLoginProfile = (name: string) =>
  new AwsError({ code: 'NoSuchEntity', message: `Login Profile for User ${name} cannot be found.`, status: 404 });

/**
 * What users sign in with beside access keys. Nothing makes any of it here, so that nobody has one: what clients that are
 * about to delete a user look for first.
 */
export const signIn: ActionsOf<
  api.Operations,
  | 'GetLoginProfile'
  | 'DeleteLoginProfile'
  | 'ListMFADevices'
  | 'ListVirtualMFADevices'
  | 'ListSSHPublicKeys'
  | 'ListSigningCertificates'
  | 'ListServiceSpecificCredentials'
> = {
  GetLoginProfile: async (iam, { UserName }, context) => {
    throw noLoginProfile(await ofUser(iam, UserName, context));
  },
  DeleteLoginProfile: async (iam, { UserName }, context) => {
    throw noLoginProfile(await ofUser(iam, UserName, context));
  },
  ListMFADevices: async (iam, { UserName }, context) => {
    await ofUser(iam, UserName, context);
    return { MFADevices: [], ...NONE };
  },
  ListVirtualMFADevices: () => Promise.resolve({ VirtualMFADevices: [], ...NONE }),
  ListSSHPublicKeys: async (iam, { UserName }, context) => {
    await ofUser(iam, UserName, context);
    return { SSHPublicKeys: [], ...NONE };
  },
  ListSigningCertificates: async (iam, { UserName }, context) => {
    await ofUser(iam, UserName, context);
    return { Certificates: [], ...NONE };
  },
  ListServiceSpecificCredentials: async (iam, { UserName }, context) => {
    if (UserName !== undefined) await ofUser(iam, UserName, context);
    return { ServiceSpecificCredentials: [] };
  },
};
