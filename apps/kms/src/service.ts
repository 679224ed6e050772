import type { DecisionLog } from '@holdfast/access';
import type { RootKeyService } from '@holdfast/root-keys';
import { defineService } from '@holdfast/service-kit';
import { kmsRequests } from './adapters/inbound/kms-requests.ts';
import { kmsMigrations } from './adapters/outbound/kms.migrations.ts';
import type { StoredKeyMaterials } from './adapters/outbound/key-materials.ts';
import type { Kms } from './application/ports.ts';
import { DECISIONS, KEY_MATERIALS, KMS, KmsModule, ROOT_KEY_SERVICE } from './kms.module.ts';

export const start = defineService({
  name: 'kms',
  migrations: kmsMigrations,
  module: (parts) => KmsModule.with(parts),
  requests: (app) => ({
    ...kmsRequests(app.get<Kms>(KMS, { strict: false }), app.get<DecisionLog>(DECISIONS, { strict: false })),
    ...app.get<RootKeyService>(ROOT_KEY_SERVICE, { strict: false }).requests,
  }),
  reset: (app) => {
    app.get<StoredKeyMaterials>(KEY_MATERIALS, { strict: false }).clear();
    return Promise.resolve();
  },
});
