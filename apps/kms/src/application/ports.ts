import type { EnvelopeKey, EnvelopeKeyName } from '@holdfast/crypto';
import type { AccountId, Instant, KeyArn, Region, RequestContext } from '@holdfast/contracts';
import type { CommandHandler } from '@holdfast/event-store';
import type { AliasCommand, AliasState } from '../domain/alias.decider.ts';
import type { AliasEvent } from '../domain/alias.events.ts';
import type { ActiveGrant } from '../domain/authorize.ts';
import type { GrantCommand } from '../domain/grant.decider.ts';
import type { GrantEvent } from '../domain/grant.events.ts';
import type { KeyCommand } from '../domain/key.decider.ts';
import type { KeyState } from '../domain/key-state.ts';
import type { KeyEvent, KeyManager, Tag } from '../domain/key.events.ts';
import type { KeyUsed } from '../domain/key-use.events.ts';
import type { Place } from '../domain/names.ts';

/** A key as it is now: read for every request, so that a key that is disabled stops at once. */
export interface KeyRecord extends Place {
  readonly keyId: string;
  readonly arn: KeyArn;
  readonly keyManager: KeyManager;
  readonly description: string;
  readonly state: KeyState;
  readonly createdAt: Instant;
  readonly deletionDate: Instant | null;
  readonly materialId: string;
  readonly tags: readonly Tag[];
  /** Order of creation; what ListKeys pages by. */
  readonly position: number;
}

export interface KeyDirectory {
  find(keyId: string): Promise<KeyRecord | null>;
  findByAlias(place: Place, aliasName: string): Promise<KeyRecord | null>;
  list(place: Place, afterPosition: number, limit: number): Promise<KeyRecord[]>;
  /** Scheduled for deletion at or before `at`. */
  due(at: Instant, limit: number): Promise<KeyRecord[]>;
}

export interface AliasRecord extends Place {
  readonly aliasName: string;
  /** Null: an AWS alias whose key nobody has needed yet. */
  readonly targetKeyId: string | null;
  readonly createdAt: Instant | null;
  readonly updatedAt: Instant | null;
}

export interface AliasDirectory {
  /** By name after `afterName`, with `alias/aws/ebs` even before it has a key; of one key only when `keyId` is given. */
  list(place: Place, keyId: string | null, afterName: string, limit: number): Promise<AliasRecord[]>;
  ofKey(keyId: string): Promise<AliasRecord[]>;
}

export interface GrantRecord extends ActiveGrant {
  readonly keyId: string;
  readonly keyArn: KeyArn;
  readonly issuingAccount: AccountId;
  readonly name: string;
  readonly retiringPrincipal: string | null;
  readonly createdAt: Instant;
  readonly position: number;
}

/** Active grants only. */
export interface GrantDirectory {
  find(grantId: string): Promise<GrantRecord | null>;
  /** Those of a key that could allow `operation` to one of `grantees` under this context; few, however many the key has. */
  applicable(
    keyId: string,
    grantees: readonly string[],
    operation: string,
    context: Readonly<Record<string, string>> | null,
  ): Promise<ActiveGrant[]>;
  /** The grant with this name and these terms, if there is one. */
  findNamed(keyId: string, name: string, termsHash: string): Promise<string | null>;
  list(
    filter:
      { keyId: string; grantId?: string; granteePrincipal?: string } | { retiringPrincipal: string; region: Region },
    afterPosition: number,
    limit: number,
  ): Promise<GrantRecord[]>;
  hasAtLeast(keyId: string, count: number): Promise<boolean>;
}

/** Key material, kept wrapped by the root key; in the clear only in this process's memory, and not for long. */
export interface KeyMaterials {
  /** Makes 32 random bytes under this name and stores them wrapped. A key that names them comes after. */
  create(name: EnvelopeKeyName): Promise<void>;
  /** Removes material that no key came to name. */
  discard(name: EnvelopeKeyName): Promise<void>;
  /** `work` must not keep the material; it is zeroed at any time after. @throws Error when there is none of that name. */
  use<Result>(name: EnvelopeKeyName, work: (key: EnvelopeKey) => Result): Promise<Result>;
  /** Zeroes what is in memory of a key. */
  forget(keyId: string): void;
}

export interface KeyUseLog {
  /** Resolves once the uses are committed: their results may leave then and not before. */
  record(uses: readonly KeyUsed[], context: RequestContext): Promise<void>;
}

/** Secrets on their way in and out. */
export interface Transport {
  readonly publicKeyBase64: string;
  /** @throws SealingFailed */
  open(sealedBase64: string, info: string): Promise<Buffer>;
  /** @throws SealingFailed */
  seal(publicKeyBase64: string, plaintext: Uint8Array, info: string): Promise<string>;
}

export interface GrantTokens {
  /** A new one each time; all of a grant's are good. */
  issue(grantId: string, keyId: string): string;
  /** @throws DomainError InvalidGrantToken unless `issue` made it. */
  read(token: string): { grantId: string; keyId: string };
}

export interface Markers {
  /** `list` says which list of whom; a marker of another one is invalid. */
  write(list: string, after: string): string;
  /** @throws DomainError InvalidMarker */
  read(list: string, marker: string): string;
}

/** Everything an action of the API works with. */
export interface Kms {
  readonly clock: { now(): Date; instant(): Instant };
  readonly keys: KeyDirectory;
  readonly aliases: AliasDirectory;
  readonly grants: GrantDirectory;
  readonly keyStreams: CommandHandler<KeyCommand, KeyEvent, unknown>;
  readonly aliasStreams: CommandHandler<AliasCommand, AliasEvent, AliasState>;
  readonly grantStreams: CommandHandler<GrantCommand, GrantEvent, unknown>;
  readonly materials: KeyMaterials;
  readonly uses: KeyUseLog;
  readonly transport: Transport;
  readonly tokens: GrantTokens;
  readonly markers: Markers;
}
