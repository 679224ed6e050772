import type { ec2 } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import type { InstanceProfile } from '../domain/instance-profile.ts';
import type { KeyPairs } from './key-pairs.ts';
import { requestedProfile } from './requested-profile.ts';

/** What somebody would log in with, and what the guest would act with. One that is left out was not asked for. */
export interface Credentials {
  keyName?: string;
  profile?: InstanceProfile;
}

/** The credentials that a launch names, which have to be there. */
export class LaunchCredentials {
  constructor(
    private readonly keyPairs: Pick<KeyPairs, 'checkNamed'>,
    private readonly requests: Requests,
  ) {}

  /** @throws AwsError InvalidKeyPair.NotFound | InvalidParameterValue */
  async run(
    { KeyName: keyName = '', IamInstanceProfile }: Pick<ec2.RunInstancesRequest, 'KeyName' | 'IamInstanceProfile'>,
    context: RequestContext,
  ): Promise<Credentials> {
    if (keyName !== '') await this.keyPairs.checkNamed(keyName, context);
    const profile = await requestedProfile(this.requests, IamInstanceProfile, context);
    return { ...(keyName === '' ? {} : { keyName }), ...(profile === null ? {} : { profile }) };
  }
}
