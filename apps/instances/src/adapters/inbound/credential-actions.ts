import type { ec2 } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import type { RequestHandlers } from '@holdfast/messaging';
import type { KeyPairs } from '../../application/key-pairs.ts';
import type { MonitorInstances } from '../../application/monitor-instances.ts';
import type { ProfileAssociations } from '../../application/profile-associations.ts';

export interface CredentialActions {
  keyPairs: KeyPairs;
  profiles: ProfileAssociations;
  monitoring: MonitorInstances;
}

/** What a guest would log in and act with, and who would watch it. */
export const credentialActions = ({ keyPairs, profiles, monitoring }: CredentialActions) =>
  ({
    CreateKeyPair: keyPairs.create.bind(keyPairs),
    ImportKeyPair: keyPairs.import.bind(keyPairs),
    DeleteKeyPair: keyPairs.delete.bind(keyPairs),
    DescribeKeyPairs: keyPairs.describe.bind(keyPairs),
    AssociateIamInstanceProfile: profiles.associate.bind(profiles),
    DisassociateIamInstanceProfile: profiles.disassociate.bind(profiles),
    ReplaceIamInstanceProfileAssociation: profiles.replace.bind(profiles),
    DescribeIamInstanceProfileAssociations: profiles.describe.bind(profiles),
    MonitorInstances: (input: ec2.MonitorInstancesRequest, context: RequestContext) =>
      monitoring.run(input, true, context),
    UnmonitorInstances: (input: ec2.MonitorInstancesRequest, context: RequestContext) =>
      monitoring.run(input, false, context),
  }) satisfies RequestHandlers;
