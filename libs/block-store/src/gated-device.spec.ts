import { describe, expect, it } from 'vitest';
import type { BlockDevice } from './block-device.ts';
import { ChangeGate, GatedDevice } from './gated-device.ts';

const MINUTE_MS = 60_000;

/** Writes take as long as they are told to; what was done is noted. */
class Slow implements BlockDevice {
  readonly sizeBytes = 1 << 20;
  readonly readOnly = false;
  readonly done: string[] = [];
  finish: () => void = () => undefined;
  private change(what: string): Promise<void> {
    return new Promise<void>((resolve) => {
      this.finish = resolve;
    }).then(() => void this.done.push(what));
  }
  read(): void {
    this.done.push('read');
  }
  flush(): Promise<void> {
    return Promise.resolve();
  }
  extents() {
    return [];
  }
  write() {
    return this.change('write');
  }
  trim() {
    return this.change('trim');
  }
  writeZeroes() {
    return this.change('zeroes');
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a gate', () => {
  it('waits for changes under way, lets reads through, and holds back what comes', async () => {
    const [slow, gate] = [new Slow(), new ChangeGate()];
    const device = new GatedDevice(slow, gate);
    const first = device.write(0, Buffer.alloc(1));
    let held = false;
    const holding = gate.hold(MINUTE_MS).then(() => {
      held = true;
    });
    await turn();
    expect(held).toBe(false);
    slow.finish();
    await holding;
    await first;
    const second = device.trim(0, 1);
    void device.read(0, Buffer.alloc(1));
    await turn();
    expect(slow.done).toEqual(['write', 'read']);
    gate.release();
    await turn();
    slow.finish();
    await second;
    expect(slow.done).toEqual(['write', 'read', 'trim']);
    expect(gate.isHeld).toBe(false);
  });

  it('is one for all devices that it guards, and opens by itself', async () => {
    const [one, two, gate] = [new Slow(), new Slow(), new ChangeGate()];
    await gate.hold(20);
    const changes = [one, two].map((slow) => new GatedDevice(slow, gate).writeZeroes(0, 1, { mayTrim: true }));
    expect(gate.isHeld).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(gate.isHeld).toBe(false);
    for (const slow of [one, two]) slow.finish();
    await Promise.all(changes);
    expect([...one.done, ...two.done]).toEqual(['zeroes', 'zeroes']);
  });

  it('tells of a change that fails to whom it belongs', async () => {
    const gate = new ChangeGate();
    const failing = gate.pass(() => Promise.reject(new Error('EIO')));
    await expect(failing).rejects.toThrow('EIO');
    await expect(gate.hold(MINUTE_MS)).resolves.toBeUndefined();
    gate.release();
  });
});
