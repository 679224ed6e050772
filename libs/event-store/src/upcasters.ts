import type { DomainEvent } from './types.ts';

/** Rewrites one event type's stored data from schema version `from` to `from + 1`. Pure; history itself is never changed. */
export interface Upcaster {
  readonly type: string;
  /** 1-based. */
  readonly from: number;
  upcast(data: Readonly<Record<string, unknown>>): Record<string, unknown>;
}

/** Which schema version each event type is written in, and how older ones are read. */
export class EventSchemas {
  private readonly chains = new Map<string, Upcaster[]>();

  /** @throws TypeError when a type's upcasters do not lead from version 1 to the current one, each step once. */
  constructor(upcasters: readonly Upcaster[] = []) {
    for (const upcaster of [...upcasters].sort((a, b) => a.from - b.from)) {
      const chain = this.chains.get(upcaster.type) ?? [];
      if (upcaster.from !== chain.length + 1) {
        const expected = String(chain.length + 1);
        throw new TypeError(`${upcaster.type}: upcaster from ${String(upcaster.from)} where ${expected} is due`);
      }
      this.chains.set(upcaster.type, [...chain, upcaster]);
    }
  }

  /** 1 for types without upcasters. */
  currentVersion(type: string): number {
    return (this.chains.get(type)?.length ?? 0) + 1;
  }

  /** @throws TypeError for a version that this program is too old to know. */
  upcast(type: string, schemaVersion: number, data: unknown): { schemaVersion: number; data: DomainEvent } {
    const current = this.currentVersion(type);
    if (schemaVersion > current) {
      throw new TypeError(`${type} v${String(schemaVersion)} is newer than this program's v${String(current)}`);
    }
    const steps = this.chains.get(type)?.slice(schemaVersion - 1) ?? [];
    const upcast = steps.reduce((older, step) => step.upcast(older), data as Record<string, unknown>);
    return { schemaVersion: current, data: { ...upcast, type } };
  }
}
