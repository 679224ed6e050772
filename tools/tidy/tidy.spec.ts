import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

// House rules that no linter knows.
const root = fileURLToPath(new URL('../..', import.meta.url));
const tracked = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root })
  .toString()
  .split('\0')
  .filter((path) => path !== '' && existsSync(root + path));
const text = (path: string) => readFileSync(root + path, 'utf8');
const sources = tracked.filter((path) => /^(apps|libs)\/.*\.tsx?$/.test(path) && !path.includes('/generated/'));

describe('the tree', () => {
  it('has no source file over 400 lines', () => {
    expect(sources.filter((path) => text(path).split('\n').length > 401)).toEqual([]);
  });

  it('has no utils, common or helpers', () => {
    expect(sources.filter((path) => /\/(utils?|common|helpers?)(\/|\.ts$)/.test(path))).toEqual([]);
  });

  it('has entry points that list their names', () => {
    expect(sources.filter((path) => path.endsWith('/index.ts') && /^export \*/m.test(text(path)))).toEqual([]);
  });

  it('keeps index.ts to the entry points of libraries', () => {
    expect(sources.filter((path) => path.startsWith('apps/') && path.endsWith('/index.ts'))).toEqual([]);
  });

  it('has no TODO without an issue', () => {
    expect(sources.filter((path) => /\b(TODO|FIXME|XXX)\b(?!\(#\d+\))/.test(text(path)))).toEqual([]);
  });

  it('runs every test it has', () => {
    const specs = sources.filter((path) => path.endsWith('.spec.ts'));
    expect(specs.filter((path) => /\b(it|describe|test)\.(only|skip|todo|fails)\b/.test(text(path)))).toEqual([]);
  });

  it('names no path of a developer machine and no registry host', () => {
    const hosts = /registry\.npmjs|npmjs\.org|deb\.debian\.org|snapshot\.debian/;
    expect(
      tracked
        .filter((path) => path !== 'tools/tidy/tidy.spec.ts' && !/\.(png|gz|node)$/.test(path))
        .filter((path) => hosts.test(text(path))),
    ).toEqual([]);
  });
});

describe('every project', () => {
  const projects = tracked.filter((path) => /^(apps|libs)\/[^/]+\/package\.json$/.test(path));

  it('carries a layer tag, and a keys tag unless it may hold plaintext keys', () => {
    const mayHoldPlaintextKeys = ['apps/kms', 'apps/data-plane', 'apps/api-gateway'];
    for (const path of projects) {
      const { nx } = JSON.parse(text(path)) as { nx?: { tags?: string[] } };
      const tags = nx?.tags ?? [];
      expect(
        tags.filter((tag) => tag.startsWith('layer:')),
        path,
      ).toHaveLength(1);
      const expected = mayHoldPlaintextKeys.includes(path.replace('/package.json', '')) ? 0 : 1;
      expect(
        tags.filter((tag) => tag.startsWith('keys:')),
        path,
      ).toHaveLength(expected);
    }
  });
});

describe('the lock file', () => {
  it('records no download address', () => {
    const lock = JSON.parse(text('package-lock.json')) as { packages: Record<string, { resolved?: string }> };
    const addresses = Object.values(lock.packages).filter(({ resolved }) => resolved?.startsWith('http'));
    expect(addresses).toEqual([]);
  });
});
