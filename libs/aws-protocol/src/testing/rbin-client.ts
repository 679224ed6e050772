import { readFileSync } from 'node:fs';
import { EBSClient, type EBSClientConfig, type StartSnapshotCommand } from '@aws-sdk/client-ebs';
import { makeBuilder } from '@smithy/core/client';
import { getEndpointPlugin } from '@smithy/core/endpoints';
import { clientOfModel } from '../../../../tools/aws-service-models.mjs';

/**
 * A client of the Recycle Bin: the official JavaScript SDK's own protocol, serializer, signer and retries, over the schemas of
 * the service's model. (The client that npm has of it is older than half of the service.)
 */
const model: unknown = JSON.parse(readFileSync(new URL('../../models/services/rbin.json', import.meta.url), 'utf8'));
const { client: schemas } = clientOfModel('rbin', model);

const ENDPOINT_PARAMETERS = {
  UseFIPS: { type: 'builtInParams', name: 'useFipsEndpoint' },
  Endpoint: { type: 'builtInParams', name: 'endpoint' },
  Region: { type: 'builtInParams', name: 'region' },
  UseDualStack: { type: 'builtInParams', name: 'useDualstackEndpoint' },
} as const;

export class RbinClient extends EBSClient {
  constructor(config: EBSClientConfig) {
    super({ ...config, signingName: 'rbin' } as EBSClientConfig);
  }

  call<Output>(operation: string, input: object): Promise<Output> {
    const Command = rbinCommand(operation);
    return this.send(new Command(input) as StartSnapshotCommand) as Promise<Output>;
  }
}

/** The command of an operation, as a client has one for each. */
export const rbinCommand = (operation: string): new (input: object) => object => {
  const schema = schemas[`${operation}$operation`];
  if (schema === undefined) throw new Error(`the Recycle Bin has no operation ${operation}`);
  // What the client's own commands are made by.
  const command = makeBuilder(ENDPOINT_PARAMETERS, 'Rbin', 'RbinClient', getEndpointPlugin);
  return command({}, () => [], operation, schema as Parameters<typeof command>[3]) as new (input: object) => object;
};
