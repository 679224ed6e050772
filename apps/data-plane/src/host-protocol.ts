import { z } from 'zod';

/** What the service and its block hosts say to each other. Both sides check what they receive. */

/** Names one of the data keys that a host may ask for; the service knows which wrapped key that is. */
export const keySlotSchema = z.string().regex(/^(volume|source|target|(proof|session)-\d+)$/);
export type KeySlot = z.infer<typeof keySlotSchema>;

const id = z.string().max(64);
const keyReferenceSchema = z.object({
  keyArn: z.string(),
  encryptedDataKey: z.string(),
  encryptionContext: z.record(z.string(), z.string()),
  dataKeyId: z.string(),
  keyCheck: z.string(),
});

const probability = z.number().min(0).max(1).optional();
/** See `FaultPlan`. */
export const faultsSchema = z.strictObject({
  seed: z.int(),
  readErrors: probability,
  writeErrors: probability,
  flushErrors: probability,
  tornWrites: probability,
  delays: probability,
  delayMs: z.number().min(0).max(60_000).optional(),
  storeUnavailable: z.boolean().optional(),
  loseUnsyncedWrites: z.boolean().optional(),
});

export const performanceSchema = z.object({
  volumeType: z.enum(['gp2', 'gp3', 'io1', 'io2', 'st1', 'sc1', 'standard']),
  sizeGiB: z.int().positive(),
  iops: z.int().positive().nullable(),
  throughputMiBps: z.int().positive().nullable(),
});

/** Service to host. */
export const hostRequests = {
  /** Unwraps the data key, forgets it, and answers with its check value. */
  ProveKey: z.object({ slot: keySlotSchema }),
  /** Opens a volume's files, without key; frozen blocks are copied and missing ones fetched from now on. */
  OpenVolume: z.object({ root: z.string(), volumeId: id, io: z.enum(['buffered', 'direct']) }),
  /** Serves the open volume at one more socket; `encrypted` as the caller believes it to be. */
  Attach: z.object({ socketPath: z.string(), encrypted: z.boolean() }),
  /** Ends one of several exports, flushes, and forgets its key. */
  Detach: z.object({ socketPath: z.string() }),
  /** `held`: only if no guest's change was let through since `Hold`. */
  Freeze: z.object({ snapshotId: id, held: z.boolean().optional() }),
  /** Waits for the guests' changes that are under way, and lets none begin until `Release`, or for some seconds. */
  Hold: z.object({}),
  Release: z.object({}),
  /** What the open volume is held to from now on; null: nothing. */
  SetPerformance: z.object({ performance: performanceSchema.nullable() }),
  /** Development mode: what goes wrong on the open volume's device from now on. */
  SetFaults: z.object({ faults: faultsSchema.nullable() }),
  /** Development mode: loses some of what was not flushed, and ends the process at once. */
  LosePower: z.object({}),
  /** How much of the source snapshot is here. */
  Initialization: z.object({}),
  /** Makes the open volume larger. */
  Grow: z.object({ sizeGiB: z.int().positive() }),
  /** Flushes, closes, and ends the process. */
  /** `forGood`: what this process serves is not served again, and its guests are told so. */
  Close: z.object({ forGood: z.boolean() }),
  Stats: z.object({}),
  /** Takes and gives blocks of snapshots (EBS direct) on a socket or TCP port, to whoever shows a ticket of a session. */
  ServeBlocks: z.object({
    root: z.string(),
    listen: z.union([z.object({ path: z.string() }), z.object({ host: z.string(), port: z.int() })]),
  }),
  /** Unwraps the data key in `slot`, if the snapshot has one; the ticket key in the answer is sealed to `publicKey`. */
  OpenBlockSession: z.object({
    sessionId: id,
    snapshotId: id,
    operation: z.enum(['get', 'put']),
    accountId: id,
    slot: keySlotSchema.optional(),
    publicKey: z.string().max(256),
  }),
  /** Waits for the blocks of an upload that are under way, and takes no more. */
  CloseBlocks: z.object({ snapshotId: id }),
  /** Takes NBD over TCP, with TLS and certificates of clients, and asks `Locate` where it goes. Paths of PEM files. */
  ServeTls: z.object({
    host: z.string(),
    port: z.int(),
    cert: z.string(),
    key: z.string(),
    clientCa: z.string(),
    clientCrl: z.string().optional(),
  }),
  /** Serves a snapshot, read-only; its key, if it has one, is in the slot `source`. */
  ServeSnapshot: z.object({ root: z.string(), snapshotId: id, socketPath: z.string(), encrypted: z.boolean() }),
  ReEncryptSnapshot: z.object({
    root: z.string(),
    snapshotId: id,
    header: z.object({
      snapshotId: id,
      sizeGiB: z.int().positive(),
      parentSnapshotId: z.string().nullable(),
    }),
    sourceEncrypted: z.boolean(),
    target: keyReferenceSchema.omit({ keyCheck: true }),
    /** The target's data key is to be wrapped again, in this encryption context. */
    ownContext: z.record(z.string(), z.string()).optional(),
  }),
  ReEncryptVolume: z.object({
    root: z.string(),
    volumeId: id,
    sizeGiB: z.int().positive(),
    sourceSnapshotId: id,
    sourceEncrypted: z.boolean(),
    target: keyReferenceSchema.omit({ keyCheck: true }),
  }),
} as const;
export type HostRequest = keyof typeof hostRequests;
export type HostParams<Name extends HostRequest> = z.infer<(typeof hostRequests)[Name]>;

export const proveKeyReply = z.object({ keyCheck: z.string() });
export const openVolumeReply = z.object({ backgroundNeeded: z.boolean() });
/** Blocks of the source snapshot: all of them, those that are still to be fetched, and whether any of these was found damaged. */
export const initializationReply = z.object({ blocks: z.int(), missing: z.int(), damaged: z.boolean() });
/** How long guests waited, in milliseconds; null: the snapshot was frozen before. */
export const freezeReply = z.object({ heldMs: z.number().nullable() });
export const serveBlocksReply = z.object({ port: z.int().nullable() });
export const openBlockSessionReply = z.object({ sealedTicketKey: z.string() });
export const attachReply = z.object({ keyCheck: z.string().nullable() });

/** Host to service: has a data key unwrapped, sealed to `publicKey`. */
export const unwrapParams = z.object({ slot: keySlotSchema, publicKey: z.string().max(256) });
/** `info` of the sealed answer is `kms.Decrypt.<requestId>`. */
export const unwrapReply = z.object({ sealed: z.string(), requestId: z.string() });

/** Host to service: whom to seal a data key to that is to be wrapped again. `info` is `kms.Encrypt.<requestId>`. */
export const wrappingKeyReply = z.object({ publicKey: z.string().max(256), requestId: z.string() });
/** Host to service: has the key of the slot `target` wrapped in the encryption context that the service was told of. */
export const wrapParams = z.object({ sealed: z.string().max(4096) });
export const wrapReply = z.object({ encryptedDataKey: z.string() });

export const serveTlsReply = z.object({ port: z.int() });
/** Host to service: on which socket a volume is served to whom a certificate is for. */
export const locateParams = z.object({ name: z.string().max(4096), identities: z.array(z.string()) });
export const locateReply = z.object({ socketPath: z.string().nullable() });

/** Notices of a host. `Idle`: nothing left to copy or fetch. `BlockPut`: a block of an upload is durable. */
export const blockPutNotice = z.object({ snapshotId: id, progress: z.int().nullable() });
export const noticeSchema = z.object({ level: z.enum(['info', 'warn', 'error']), message: z.string() });

/** Error codes that a host answers with, besides class names. */
export const HOST_ERRORS = {
  keyUnusable: 'KmsKeyUnusable',
  wrongKey: 'WrongDataKey',
  volumeNotFound: 'VolumeNotFound',
  snapshotNotFound: 'SnapshotNotFound',
  uploadClosed: 'UploadClosed',
  notHeld: 'NotHeld',
} as const;
