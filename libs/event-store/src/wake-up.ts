/** Wakes everybody who waits at this moment; nothing is remembered for those who come later. */
export class WakeUp {
  private readonly waiting = new Set<() => void>();

  wake(): void {
    for (const resume of [...this.waiting]) resume();
  }

  /** Resolves at the next `wake`, after `timeoutMs` or on abort; never rejects. */
  wait(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const resume = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', resume);
        this.waiting.delete(resume);
        resolve();
      };
      const timer = setTimeout(resume, timeoutMs);
      signal?.addEventListener('abort', resume, { once: true });
      this.waiting.add(resume);
    });
  }
}
