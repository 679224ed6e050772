import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** botocore's version, or undefined when python3 or botocore is not on this machine. */
export const botocoreVersion = ((): string | undefined => {
  const { status, stdout } = spawnSync('python3', ['-c', 'import botocore; print(botocore.__version__)'], {
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim() : undefined;
})();

if (botocoreVersion === undefined) {
  process.stderr.write('NOT RUN: python3 with botocore is not here, so its comparison tests are skipped.\n');
}

/** Output of one of the scripts in this folder. */
export const runPython = (script: string, args: readonly string[], input = ''): string => {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const { status, stdout, stderr } = spawnSync('python3', [path, ...args], {
    encoding: 'utf8',
    input,
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`${script}: ${stderr}`);
  return stdout;
};
