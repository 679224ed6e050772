import { defineService } from '@holdfast/service-kit';
import { ApiGatewayModule } from './api-gateway.module.ts';

export const start = defineService({
  name: 'api-gateway',
  module: (parts) => ApiGatewayModule.register(parts),
});
