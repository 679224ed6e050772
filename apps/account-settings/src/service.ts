import { defineService } from '@holdfast/service-kit';
import { AccountSettingsModule } from './account-settings.module.ts';
import { ec2Actions } from './adapters/inbound/ec2-actions.ts';
import { DefaultKmsKey } from './application/default-kms-key.ts';
import { EncryptionByDefault } from './application/encryption-by-default.ts';
import { imagePublicAccessActions } from './adapters/inbound/image-public-access-actions.ts';
import { ImageBlockPublicAccess } from './application/image-public-access.ts';
import { SnapshotBlockPublicAccess } from './application/snapshot-public-access.ts';

export const start = defineService({
  name: 'account-settings',
  migrations: [],
  module: () => AccountSettingsModule.register(),
  requests: (app) => ({
    ...ec2Actions(app.get(EncryptionByDefault), app.get(DefaultKmsKey), app.get(SnapshotBlockPublicAccess)),
    ...imagePublicAccessActions(app.get(ImageBlockPublicAccess)),
  }),
});
