export declare const debianTool: (program: string) => Promise<{ path: string; env: NodeJS.ProcessEnv }>;
