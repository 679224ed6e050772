import { readFile } from 'node:fs/promises';
import type * as Sdk from '@aws-sdk/client-s3';
import { digestOf } from './digests.ts';
import { ObjectMissing, type ObjectStore, type StoredObject, StoreUnavailable } from './object-store.ts';

/** Of a bucket that is ours below `prefix`. */
export interface S3Settings {
  readonly bucket: string;
  /** Empty, or ends with a slash. */
  readonly prefix: string;
  /** Absent: Amazon's own of the Region. */
  readonly endpoint?: string | undefined;
  readonly region: string;
  /** The bucket is part of the path and not of the host's name. */
  readonly pathStyle: boolean;
  /** PEM; absent: the system's authorities. */
  readonly caFile?: string | undefined;
  /** In the format of ~/.aws/credentials, its `default` profile, read again every five minutes; absent: the SDK's usual chain. */
  readonly credentialsFile?: string | undefined;
}

const CONNECT_MS = 3_000;
/** Without a byte for so long, a connection is given up. */
const IDLE_MS = 10_000;
const ATTEMPT_MS = 60_000;
const MAX_SOCKETS = 16;
const CREDENTIALS_MS = 300_000;
/** Of one request to remove objects. */
const MAX_REMOVED = 1_000;

const TRANSIENT_CODES = new Set([
  'SlowDown',
  'RequestTimeout',
  'InternalError',
  'ServiceUnavailable',
  'OperationAborted',
]);

interface Client {
  readonly s3: Sdk.S3Client;
  readonly sdk: typeof Sdk;
}

/** How many requests of each kind were sent. */
export type RequestCounts = Record<'put' | 'get' | 'list' | 'remove', number>;

/** A bucket by the official client, which is loaded with the first request. Its own retries are off: see RetryingObjects. */
export class S3Objects implements ObjectStore {
  readonly counts: RequestCounts = { put: 0, get: 0, list: 0, remove: 0 };
  readonly #settings: S3Settings;
  #client: Promise<Client> | null = null;

  constructor(settings: S3Settings) {
    this.#settings = settings;
  }

  get url(): string {
    return `s3://${this.#settings.bucket}/${this.#settings.prefix}`.replace(/\/$/, '');
  }

  async put(key: string, body: Buffer<ArrayBuffer>, { ifAbsent = false } = {}): Promise<boolean> {
    // In the thread pool; the client would make it on the event loop, for the store to check what arrives.
    const sha256 = (await digestOf(body)).toString('hex');
    this.counts.put++;
    try {
      await this.#send(key, async ({ s3, sdk }, abortSignal) => {
        const command = new sdk.PutObjectCommand({
          ...{ ...this.#at(key), Body: body, ContentLength: body.length },
          ...(ifAbsent ? { IfNoneMatch: '*' } : {}),
        });
        command.middlewareStack.add(
          (next) => (args) => {
            (args.request as { headers: Record<string, string> }).headers['x-amz-content-sha256'] = sha256;
            return next(args);
          },
          { step: 'build', name: 'knownDigest' },
        );
        await s3.send(command, { abortSignal });
      });
      return true;
    } catch (error) {
      if (ifAbsent && error instanceof StoreUnavailable && statusOf(error.cause) === 412) return false;
      throw error;
    }
  }

  async get(key: string, offsetBytes: number, lengthBytes: number): Promise<Buffer> {
    this.counts.get++;
    return this.#send(key, async ({ s3, sdk }, abortSignal) => {
      const Range = `bytes=${offsetBytes}-${offsetBytes + lengthBytes - 1}`;
      const command = new sdk.GetObjectCommand({ ...this.#at(key), Range });
      const answer = await s3.send(command, { abortSignal }).catch((error: unknown) => {
        if (statusOf(error) === 416) return null; // The object ends before.
        throw error;
      });
      if (answer === null) return Buffer.of();
      const bytes = Buffer.from(new ArrayBuffer(lengthBytes));
      let received = 0;
      for await (const part of answer.Body as AsyncIterable<Uint8Array>) {
        if (received + part.length > lengthBytes)
          throw broken(`more than the ${lengthBytes} bytes that were asked for`);
        bytes.set(part, received);
        received += part.length;
      }
      const [, start, end] = /^bytes (\d+)-(\d+)\//.exec(answer.ContentRange ?? '') ?? [];
      if (Number(start) !== offsetBytes || Number(end) - offsetBytes + 1 !== received)
        throw broken(`${received} bytes and not ${answer.ContentRange ?? 'a range'}`);
      return bytes.subarray(0, received);
    });
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    const { bucket: Bucket, prefix: own } = this.#settings;
    for (let token: string | undefined; ;) {
      this.counts.list++;
      const page = await this.#send(prefix, ({ s3, sdk }, abortSignal) =>
        s3.send(new sdk.ListObjectsV2Command({ Bucket, Prefix: own + prefix, ContinuationToken: token }), {
          abortSignal,
        }),
      );
      for (const { Key = '', Size = 0, LastModified } of page.Contents ?? [])
        yield { key: Key.slice(own.length), sizeBytes: Size, modifiedMs: LastModified?.getTime() ?? 0 };
      token = page.NextContinuationToken;
      if (page.IsTruncated !== true || token === undefined) return;
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    const { bucket: Bucket, prefix } = this.#settings;
    for (let at = 0; at < keys.length; at += MAX_REMOVED) {
      const Objects = keys.slice(at, at + MAX_REMOVED).map((key) => ({ Key: prefix + key }));
      this.counts.remove++;
      const { Errors: errors = [] } = await this.#send('several', ({ s3, sdk }, abortSignal) =>
        s3.send(new sdk.DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }), { abortSignal }),
      );
      const [failed] = errors.filter(({ Code }) => Code !== 'NoSuchKey');
      if (failed !== undefined) {
        const isTransient = TRANSIENT_CODES.has(failed.Code ?? '');
        throw new StoreUnavailable(`${this.url}: ${failed.Key ?? ''} stays: ${failed.Code ?? ''}`, { isTransient });
      }
    }
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#settings.bucket, Key: this.#settings.prefix + key };
  }

  async #send<Result>(key: string, send: (client: Client, signal: AbortSignal) => Promise<Result>): Promise<Result> {
    try {
      this.#client ??= this.#connect().catch((error: unknown) => {
        this.#client = null;
        throw error;
      });
      return await send(await this.#client, AbortSignal.timeout(ATTEMPT_MS));
    } catch (error) {
      if (nameOf(error) === 'NoSuchKey') throw new ObjectMissing(key);
      throw this.#unavailable(key, error);
    }
  }

  /** Of what the client says only name, status and message are told: its other members may hold what was signed. */
  #unavailable(key: string, error: unknown): StoreUnavailable {
    const status = statusOf(error);
    const isTransient =
      status === undefined || status >= 500 || status === 408 || status === 429 || TRANSIENT_CODES.has(nameOf(error));
    const reason = `${nameOf(error)}${status === undefined ? '' : ` (${status})`}: ${(error as Error).message}`;
    return new StoreUnavailable(`${this.url}: ${key}: ${reason}`, { isTransient, cause: error });
  }

  async #connect(): Promise<Client> {
    const { endpoint, region, pathStyle, caFile, credentialsFile } = this.#settings;
    // What is said of its later versions is for us, and not for whoever reads a log.
    process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
    const sdk = await import('@aws-sdk/client-s3');
    const ca = caFile === undefined ? undefined : await readFile(caFile);
    const s3 = new sdk.S3Client({
      ...{ region, forcePathStyle: pathStyle, maxAttempts: 1 },
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(credentialsFile === undefined ? {} : { credentials: () => readCredentials(credentialsFile) }),
      // Checksums of the client's own make it stream, which not every store takes; blocks are held to their digests anyway.
      ...{ requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' },
      // Before a large body it would ask first, and do that by an agent of its own, which knows nothing of our authorities.
      expectContinueHeader: false,
      requestHandler: {
        ...{ connectionTimeout: CONNECT_MS, socketTimeout: IDLE_MS },
        httpAgent: { maxSockets: MAX_SOCKETS },
        httpsAgent: { maxSockets: MAX_SOCKETS, ...(ca === undefined ? {} : { ca }) },
      },
    });
    return { s3, sdk };
  }
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : 'Error');

const statusOf = (error: unknown): number | undefined =>
  (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode;

const broken = (what: string): Error => Object.assign(new Error(`the answer has ${what}`), { name: 'BrokenAnswer' });

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration: Date;
}

/** @throws Error that tells of the file, and nothing of what is in it */
const readCredentials = async (path: string): Promise<Credentials> => {
  const values = new Map<string, string>();
  let profile = '';
  for (const line of (await readFile(path, 'utf8')).split('\n')) {
    const [, section] = /^\s*\[\s*(.*?)\s*\]/.exec(line) ?? [];
    if (section !== undefined) profile = section;
    const [, name, value] = /^\s*([a-z_]+)\s*=\s*(.*?)\s*$/i.exec(line) ?? [];
    if (name !== undefined && value !== undefined && profile === 'default') values.set(name.toLowerCase(), value);
  }
  const [accessKeyId, secretAccessKey] = [values.get('aws_access_key_id'), values.get('aws_secret_access_key')];
  if (accessKeyId === undefined || secretAccessKey === undefined)
    throw new Error(`${path} has no aws_access_key_id and aws_secret_access_key in a section [default]`);
  const sessionToken = values.get('aws_session_token');
  const expiration = new Date(Date.now() + CREDENTIALS_MS);
  return { accessKeyId, secretAccessKey, expiration, ...(sessionToken === undefined ? {} : { sessionToken }) };
};
