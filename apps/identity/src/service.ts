import { defineService } from '@holdfast/service-kit';
import { stsActions } from './adapters/inbound/sts-actions.ts';
import { ResolveSigningKey } from './application/resolve-signing-key.ts';
import { IdentityModule } from './identity.module.ts';

export const start = defineService({
  name: 'identity',
  module: ({ environment }) => IdentityModule.register(environment),
  requests: (app) => stsActions(app.get(ResolveSigningKey)),
});
