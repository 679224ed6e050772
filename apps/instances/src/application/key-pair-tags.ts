import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, callerOf, type RequestContext } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import { removedKeys, tagLimitExceeded, type TagRemoval, type Tags } from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import type { KeyPairRow, KeyPairStreams, KeyPairTable } from './key-pair-ports.ts';

const notFound = (id: string) =>
  new AwsError({ code: 'InvalidKeyPair.NotFound', message: `The key pair ID '${id}' does not exist` });

/** Tags of key pairs, by the ids of these. */
export class KeyPairTags {
  constructor(
    private readonly streams: KeyPairStreams,
    private readonly table: KeyPairTable,
    private readonly clock: Clock,
  ) {}

  /** @throws AwsError InvalidKeyPair.NotFound */
  async existing(ids: readonly string[], context: RequestContext): Promise<KeyPairRow[]> {
    if (ids.length === 0) return [];
    const rows = await this.table.all(context);
    return ids.map((id) => {
      const found = rows.find(({ keyPairId }) => keyPairId === id);
      if (found === undefined) throw notFound(id);
      return found;
    });
  }

  async tag(rows: readonly KeyPairRow[], tags: Tags, context: RequestContext): Promise<void> {
    for (const { keyPairId } of rows) {
      const command = { type: 'TagKeyPair', keyPairId, tags: { ...tags }, at: this.clock.instant() } as const;
      await this.streams.handle(command, callerOf(context)).catch((error: unknown) => {
        throw refusal(error, keyPairId);
      });
    }
  }

  async untag(rows: readonly KeyPairRow[], removal: TagRemoval, context: RequestContext): Promise<void> {
    for (const { keyPairId, tags } of rows) {
      const command = { type: 'UntagKeyPair', keyPairId, keys: removedKeys(tags, removal), at: this.clock.instant() } as const; // prettier-ignore
      await this.streams.handle(command, callerOf(context)).catch((error: unknown) => {
        throw refusal(error, keyPairId);
      });
    }
  }

  async describe(context: RequestContext): Promise<ec2.TagDescription[]> {
    return (await this.table.all(context)).flatMap(({ keyPairId, tags }) =>
      Object.entries(tags).map(([Key, Value]) => ({
        ResourceId: keyPairId,
        ResourceType: 'key-pair' as const,
        Key,
        Value,
      })),
    );
  }
}

/** Deleted since it was found, or tagged by somebody else. */
const refusal = (error: unknown, keyPairId: string): unknown => {
  if (!(error instanceof DomainError)) return error;
  if (error.code === 'TooManyTags') return tagLimitExceeded();
  return error.code === 'KeyPairNotFound' ? notFound(keyPairId) : error;
};
