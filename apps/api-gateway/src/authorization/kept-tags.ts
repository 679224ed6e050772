type Tags = Readonly<Record<string, string>>;

/** As long as the gateway keeps its leave to carry a caller's blocks. */
const LIFE_MS = 5_000;
const MAX_KEPT = 4096;

/** Tags of snapshots whose blocks go by: asked for once for all of them, and again after some seconds. */
export class KeptTags {
  private readonly kept = new Map<string, { readonly tags: Promise<Tags>; readonly untilMs: number }>();

  /** @param nowMs of a clock that is never turned. */
  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  /** @param name of the snapshot as its caller sees it. */
  of(name: string, ask: () => Promise<Tags>): Promise<Tags> {
    const known = this.kept.get(name);
    if (known !== undefined && known.untilMs > this.nowMs()) return known.tags;
    const entry = { tags: ask(), untilMs: this.nowMs() + LIFE_MS };
    this.kept.delete(name);
    this.kept.set(name, entry);
    entry.tags.catch(() => {
      if (this.kept.get(name) === entry) this.kept.delete(name);
    });
    const [oldest] = this.kept.keys();
    if (this.kept.size > MAX_KEPT && oldest !== undefined) this.kept.delete(oldest);
    return entry.tags;
  }
}
