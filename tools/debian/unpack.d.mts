export declare const unpackDebianPackages: (names: readonly string[], targetDir: string) => Promise<void>;
export declare const debianEnvironment: (targetDir: string, base?: NodeJS.ProcessEnv) => Promise<NodeJS.ProcessEnv>;
