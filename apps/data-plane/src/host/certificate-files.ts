import { readFileSync, statSync } from 'node:fs';
import { checkTlsMaterial, type TlsMaterial } from '@holdfast/nbd';

/** Paths of PEM files. */
export interface CertificatePaths {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string;
  readonly clientCrl?: string | undefined;
}

/**
 * Certificates as they are in their files now. Files that can't be used, or that are just being written one after the other,
 * change nothing: what was read before stays in use, and somebody is told once.
 */
export class CertificateFiles {
  readonly #paths: CertificatePaths;
  readonly #onProblem: (message: string) => void;
  #material: TlsMaterial;
  /** Of the files as they were last looked at. */
  #state: string;

  /** @throws Error when a file can't be used. */
  constructor(paths: CertificatePaths, onProblem: (message: string) => void) {
    this.#paths = paths;
    this.#onProblem = onProblem;
    this.#state = this.#look();
    this.#material = this.#read();
  }

  /** What is to be used for one more connection. */
  current(): TlsMaterial {
    try {
      const state = this.#look();
      if (state === this.#state) return this.#material;
      this.#state = state;
      this.#material = this.#read();
    } catch (error) {
      this.#onProblem(
        `the certificates from before stay in use: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    return this.#material;
  }

  #look(): string {
    const { cert, key, clientCa, clientCrl } = this.#paths;
    return [cert, key, clientCa, clientCrl]
      .map((path) => {
        const stats = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
        return stats === undefined ? '' : `${String(stats.ino)} ${String(stats.size)} ${String(stats.mtimeMs)}`;
      })
      .join(',');
  }

  #read(): TlsMaterial {
    const { cert, key, clientCa, clientCrl } = this.#paths;
    const material = {
      cert: readFileSync(cert),
      key: readFileSync(key),
      ca: readFileSync(clientCa),
      crl: clientCrl === undefined ? undefined : readFileSync(clientCrl),
    };
    checkTlsMaterial(material);
    return material;
  }
}
