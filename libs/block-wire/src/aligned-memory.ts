const WASM_PAGE_BYTES = 65_536;

interface WithWebAssembly {
  readonly WebAssembly: {
    readonly Memory: new (size: { initial: number; maximum: number }) => { buffer: ArrayBuffer };
  };
}

/**
 * The memory of WebAssembly is the only one that Node aligns to pages. It takes room in memory as it is written to.
 * @param lengthBytes whole units of 64 KiB. @throws RangeError where there is no address space for it.
 */
export const alignedMemory = (lengthBytes: number): ArrayBuffer => {
  const pages = lengthBytes / WASM_PAGE_BYTES;
  return new (globalThis as unknown as WithWebAssembly).WebAssembly.Memory({ initial: pages, maximum: pages }).buffer;
};
