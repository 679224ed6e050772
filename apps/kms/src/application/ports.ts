import type { EnvelopeKey, EnvelopeKeyName, KeyPairSpec } from '@holdfast/crypto';
import type { KeyObject } from 'node:crypto';
import type { AccountId, Instant, KeyArn, Region, RequestContext } from '@holdfast/contracts';
import type { CommandHandler } from '@holdfast/event-store';
import type { Decision as PolicyDecision } from '@holdfast/iam';
import type { AliasCommand, AliasState } from '../domain/alias.decider.ts';
import type { AliasEvent } from '../domain/alias.events.ts';
import type { ActiveGrant, CallerPolicies } from '../domain/access.ts';
import type { GrantCommand } from '../domain/grant.decider.ts';
import type { GrantEvent } from '../domain/grant.events.ts';
import type { KeyCommand } from '../domain/key.commands.ts';
import type { KeyState } from '../domain/key-state.ts';
import type { KeyKind } from '../domain/key-specs.ts';
import type { KeyEvent, KeyManager, KeyOrigin, PrincipalIds, RotationType, Tag } from '../domain/key.events.ts';
import type { LastUse } from '../domain/key-last-use.ts';
import type { KeyUsed } from '../domain/key-use.events.ts';
import type { Place } from '../domain/names.ts';
import type { Quotas } from '../domain/quotas.ts';

/** A key in one Region as it is now: read for every request, so that a key that is disabled stops at once. */
export interface KeyRecord extends Place, KeyKind {
  readonly keyId: string;
  readonly arn: KeyArn;
  readonly keyManager: KeyManager;
  readonly origin: KeyOrigin;
  readonly description: string;
  readonly state: KeyState;
  readonly createdAt: Instant;
  readonly deletionDate: Instant | null;
  /** Of a primary key that waits for its replicas' deletion. */
  readonly pendingWindowInDays: number | null;
  /** Null: nothing has been imported yet. */
  readonly materialId: string | null;
  /** When the current material expires, if it was imported to. */
  readonly validTo: Instant | null;
  /** SubjectPublicKeyInfo (DER) of a pair that has its material. */
  readonly publicKey: Buffer | null;
  readonly multiRegion: boolean;
  readonly primaryRegion: Region;
  readonly rotation: { readonly periodInDays: number; readonly nextDate: Instant } | null;
  /** Null: the default policy. */
  readonly policy: string | null;
  /** Of users and roles that the policy names. */
  readonly principalIds: PrincipalIds;
  readonly tags: readonly Tag[];
  /** Order of creation; what ListKeys pages by. */
  readonly position: number;
}

/** A key in one of its Regions, by name. */
export type KeyName = Pick<KeyRecord, 'keyId' | 'region'>;

/** One of the materials that a key has had. */
export interface KeyVersion {
  readonly materialId: string;
  readonly position: number;
  /** Null: the first one, and those that wait for a rotation. */
  readonly rotatedAt: Instant | null;
  readonly rotationType: RotationType | null;
  readonly description: string | null;
  /** Of imported material: whether it is there in the Region that asks, and until when. */
  readonly isImported: boolean;
  readonly validTo: Instant | null;
}

export interface KeyDirectory {
  find(keyId: string, region: Region): Promise<KeyRecord | null>;
  findByAlias(place: Place, aliasName: string): Promise<KeyRecord | null>;
  list(place: Place, afterPosition: number, limit: number): Promise<KeyRecord[]>;
  hasAtLeast(place: Place, count: number): Promise<boolean>;
  /** Where a multi-Region key and its replicas are, in order of Regions' names. */
  regionsOf(keyId: string): Promise<Region[]>;
  /** In order of rotation. */
  versionsOf(key: KeyName, afterPosition: number, limit: number, rotationsOnly: boolean): Promise<KeyVersion[]>;
  /** Scheduled for deletion at or before `at`. */
  dueForDeletion(at: Instant, limit: number): Promise<KeyRecord[]>;
  /** Enabled primaries whose next rotation is at or before `at`. */
  dueForRotation(at: Instant, limit: number): Promise<KeyRecord[]>;
  /** With imported material whose time ends at or before `at`. */
  dueForExpiry(at: Instant, limit: number): Promise<KeyRecord[]>;
}

export interface AliasRecord extends Place {
  readonly aliasName: string;
  /** Null: an AWS alias whose key nobody has needed yet. */
  readonly targetKeyId: string | null;
  readonly createdAt: Instant | null;
  readonly updatedAt: Instant | null;
}

export interface AliasDirectory {
  /** By name after `afterName`, with `alias/aws/ebs` even before it has a key; of one key only when `key` is given. */
  list(place: Place, key: KeyName | null, afterName: string, limit: number): Promise<AliasRecord[]>;
  ofKey(key: KeyName): Promise<AliasRecord[]>;
}

export interface GrantRecord extends ActiveGrant {
  readonly keyId: string;
  readonly keyArn: KeyArn;
  readonly issuingAccount: AccountId;
  readonly name: string;
  readonly retiringPrincipal: string | null;
  /** As they were named; of users and roles `granteePrincipal` and `retiringPrincipal` are the unique ids. */
  readonly named: { readonly granteePrincipal: string; readonly retiringPrincipal: string | null };
  readonly createdAt: Instant;
  readonly position: number;
}

/** Active grants only. */
export interface GrantDirectory {
  find(grantId: string): Promise<GrantRecord | null>;
  /** Those of a key that could allow `operation` to one of `grantees` under this context; few, however many the key has. */
  applicable(
    key: KeyName,
    grantees: readonly string[],
    operation: string,
    context: Readonly<Record<string, string>> | null,
  ): Promise<ActiveGrant[]>;
  /** The grant with this name and these terms, if there is one. */
  findNamed(key: KeyName, name: string, termsHash: string): Promise<string | null>;
  list(
    filter:
      | { key: KeyName; grantId?: string | undefined; grantees?: readonly string[] | undefined }
      | { retiringPrincipals: readonly string[]; region: Region },
    afterPosition: number,
    limit: number,
  ): Promise<GrantRecord[]>;
  hasAtLeast(key: KeyName, count: number): Promise<boolean>;
}

/** There are no bytes of that name: never made, deleted, or a name that somebody made up. */
export class NoSuchMaterial extends Error {
  override readonly name = 'NoSuchMaterial';
}

/** Key material, kept wrapped by the root key; in the clear only in this process's memory, and not for long. */
export interface KeyMaterials {
  /**
   * Stores bytes wrapped under this name; again is harmless. A key that names them comes after, or they are swept.
   * @param material the caller's to zero.
   */
  store(name: EnvelopeKeyName, material: Uint8Array): Promise<void>;
  /** Removes material that no key came to name; one that a key does name stays. */
  discard(name: EnvelopeKeyName): Promise<void>;
  /** `work` must not keep the material: nothing else holds it when its key is deleted. @throws NoSuchMaterial */
  use<Result>(name: EnvelopeKeyName, work: (key: EnvelopeKey) => Result): Promise<Result>;
  /** The same of a pair's private key. @throws NoSuchMaterial */
  usePrivateKey<Result>(
    name: EnvelopeKeyName,
    spec: KeyPairSpec,
    work: (privateKey: KeyObject) => Result,
  ): Promise<Result>;
  /** 64 hex digits that these bytes have as material of this key, by the current root key and by each earlier one. */
  identify(keyId: string, material: Uint8Array): string[];
  /** Lets go of what is in memory of a key. */
  forget(keyId: string): void;
  /** Removes bytes that no key names, from requests that ended half-way. @returns how many. */
  sweep(): Promise<number>;
}

/** What an import token vouches for. */
export interface ImportParameters {
  readonly keyArn: string;
  readonly wrappingAlgorithm: string;
  /** PKCS #8 (DER) of the wrapping key. */
  readonly privateKey: Buffer;
  readonly validTo: Instant;
}

export interface ImportTokens {
  /** @param parameters whose private key stays the caller's to zero. @returns bytes. */
  issue(parameters: ImportParameters): Buffer;
  /** @returns with a private key that is the caller's to zero. @throws DomainError InvalidImportToken */
  read(token: Buffer): ImportParameters;
}

/** When each key was last used, exact at any time. */
export interface KeyLastUses {
  /** Of the key in its Region; null: not since it was made. */
  of(key: KeyRecord): Promise<LastUse | null>;
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

/** Identities' side of a decision. */
export interface Callers {
  /** Null: the user, role or session is no more, and nothing is allowed to it. */
  of(context: RequestContext): Promise<CallerPolicies | null>;
}

/** Is told what a request's decision is made from, as it is looked at. */
export interface Considered {
  decided(decision: PolicyDecision): void;
  found(key: Pick<KeyRecord, 'arn' | 'state'>): void;
}

/** Whom policies and grants name. */
export interface Principals {
  /** Ids by name, null where there is nobody of that name: unique ids of users and roles, numbers of accounts. */
  resolve(names: readonly string[], context: RequestContext): Promise<ReadonlyMap<string, string | null>>;
}

/** Everything an action of the API works with. */
export interface Kms {
  /** Of the request that is being served. */
  readonly considered: Considered;
  readonly clock: { now(): Date; instant(): Instant };
  readonly keys: KeyDirectory;
  readonly aliases: AliasDirectory;
  readonly grants: GrantDirectory;
  readonly keyStreams: CommandHandler<KeyCommand, KeyEvent, unknown>;
  readonly aliasStreams: CommandHandler<AliasCommand, AliasEvent, AliasState>;
  readonly grantStreams: CommandHandler<GrantCommand, GrantEvent, unknown>;
  readonly materials: KeyMaterials;
  readonly uses: KeyUseLog;
  readonly lastUses: KeyLastUses;
  readonly transport: Transport;
  readonly tokens: GrantTokens;
  readonly markers: Markers;
  readonly importTokens: ImportTokens;
  readonly callers: Callers;
  readonly principals: Principals;
  readonly quotas: Quotas;
}
