import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const output = (program: string, args: readonly string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

/** Block devices that are files: what a host's disks are in a test. */
export class LoopDevices {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-loop-'));
  /** With a link to each of the devices. */
  readonly pool = join(this.folder, 'devices');
  readonly #devices: string[] = [];

  constructor() {
    mkdirSync(this.pool);
  }

  /** @returns why there can't be any here; null when there can. */
  static unavailable(): string | null {
    const devices = new LoopDevices();
    try {
      devices.add('probe', 1_048_576);
      return null;
    } catch (error) {
      return error instanceof Error ? (error.message.split('\n').at(-1) ?? '') : String(error);
    } finally {
      devices.remove();
    }
  }

  /** @returns the device, and the file that it is. */
  add(name: string, sizeBytes: number, before: (file: string) => void = () => undefined) {
    const file = join(this.folder, `${name}.img`);
    writeFileSync(file, '');
    truncateSync(file, sizeBytes);
    before(file);
    const device = output('losetup', ['--find', '--show', file]);
    this.#devices.push(device);
    symlinkSync(device, join(this.pool, name));
    return { device, file };
  }

  remove(): void {
    for (const device of this.#devices) output('losetup', ['--detach', device]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
