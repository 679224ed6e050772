import { createCipheriv, createDecipheriv, type KeyObject, randomFillSync } from 'node:crypto';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

/** Bytes that a message is longer than its plaintext. */
export const MESSAGE_OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES;
export const SESSION_KEY_BYTES = 32;

/** Nonces are public and used once: a thousand of them are made at once, which costs as much as making a few. */
const NONCES_BYTES = 1024 * NONCE_BYTES;
let nonces = Buffer.alloc(0);

const nextNonce = (): Buffer => {
  if (nonces.length === 0) nonces = randomFillSync(Buffer.allocUnsafeSlow(NONCES_BYTES));
  const nonce = nonces.subarray(0, NONCE_BYTES);
  nonces = nonces.subarray(NONCE_BYTES);
  return nonce;
};

/** @returns nonce ‖ ciphertext ‖ tag. */
export const sealMessage = (key: KeyObject, plaintext: Uint8Array, info: string): Buffer => {
  const nonce = nextNonce();
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(info, 'utf8'));
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
};

/** @returns null when nonce, tag or `info` do not fit; else plaintext in a buffer of its own. */
export const openMessage = (key: KeyObject, message: Buffer, info: string): Buffer | null => {
  const tagAt = message.length - TAG_BYTES;
  if (tagAt < NONCE_BYTES) return null;
  const decipher = createDecipheriv(CIPHER, key, message.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(info, 'utf8'))
    .setAuthTag(message.subarray(tagAt));
  const plaintext = decipher.update(message.subarray(NONCE_BYTES, tagAt)); // GCM is a stream: final() adds no bytes.
  try {
    decipher.final();
    return plaintext;
  } catch {
    plaintext.fill(0);
    return null;
  }
};

/** One HPKE context's exported secret. */
export interface SessionKeys {
  /** The encapsulated key, which goes ahead of each message. */
  readonly enc: Buffer;
  /** Of 32 bytes; OpenSSL wipes them when the session has ended and its key is collected. */
  readonly key: KeyObject;
}

interface Session extends SessionKeys {
  readonly startedAtMs: number;
  messages: number;
}

export interface SessionLimits {
  /** Kept at a time; the least recently used one makes room. */
  readonly sessions: number;
  readonly ageMs: number;
  readonly messages: number;
}

/** Times a session is made again that was over before its maker got to it. */
const ATTEMPTS = 3;

/** Sessions by name. */
export class Sessions {
  /** Least recently used first. */
  private readonly ready = new Map<string, Session>();
  private readonly making = new Map<string, Promise<void>>();
  private closed = false;

  constructor(private readonly limits: SessionLimits) {}

  /**
   * Runs `work` with the session of this name, made first when there is none that may still be used; callers that come at
   * once share one. `work` must not keep the keys.
   * @throws what `make` throws; Error after `close`.
   */
  async use<Result>(
    name: string,
    make: () => Promise<SessionKeys>,
    work: (session: SessionKeys) => Result,
  ): Promise<Result> {
    for (let attempt = 1; attempt <= ATTEMPTS && !this.closed; attempt++) {
      const session = this.usable(name);
      if (session !== undefined) {
        session.messages++;
        return work(session);
      }
      await this.make(name, make);
    }
    throw new Error('there is no session');
  }

  /** Lets go of every key; nothing works from then on. */
  close(): void {
    this.closed = true;
    this.ready.clear();
  }

  private usable(name: string): Session | undefined {
    const session = this.ready.get(name);
    if (session === undefined) return undefined;
    const { ageMs, messages } = this.limits;
    if (performance.now() - session.startedAtMs >= ageMs || session.messages >= messages) {
      this.ready.delete(name);
      return undefined;
    }
    this.ready.delete(name);
    this.ready.set(name, session);
    return session;
  }

  private make(name: string, make: () => Promise<SessionKeys>): Promise<void> {
    const present = this.making.get(name);
    if (present !== undefined) return present;
    const made = make()
      .then((keys) => this.keep(name, keys))
      .finally(() => this.making.delete(name));
    this.making.set(name, made);
    return made;
  }

  private keep(name: string, { enc, key }: SessionKeys): void {
    this.ready.set(name, { enc, key, startedAtMs: performance.now(), messages: 0 });
    const [oldest] = this.ready.keys();
    if (this.closed) this.ready.delete(name);
    else if (this.ready.size > this.limits.sessions && oldest !== undefined) this.ready.delete(oldest);
  }
}
