export declare const nodeRelease: (major: string) => Promise<string>;
