import { RootKeyService } from '@holdfast/root-keys';
import { defineService } from '@holdfast/service-kit';
import { identityRequests } from './adapters/inbound/identity-requests.ts';
import { EventSourcedAccounts } from './adapters/outbound/account-streams.ts';
import { IAM, IdentityModule } from './identity.module.ts';
import { migrations } from './migrations.ts';

export const start = defineService({
  name: 'identity',
  migrations,
  module: (parts) => IdentityModule.register(parts),
  requests: (app) => ({ ...identityRequests(app.get(IAM)), ...app.get(RootKeyService).requests }),
  reset: async (app) => Promise.resolve(app.get(EventSourcedAccounts).forget()),
});
