import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { doctor } from './commands/doctor.ts';
import { checkHome, checkNode, type Check, type DoctorContext } from './doctor-checks.ts';
import { homePaths, openHome } from './home.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-doctor-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the check of Node', () => {
  it.each(['v20.19.0', 'v20.20.2', 'v22.1.0', 'v24.0.0'])('accepts %s', (v) => expect(checkNode(v).status).toBe('ok'));
  it.each(['v18.20.0', 'v20.18.9'])('refuses %s', (v) => expect(checkNode(v).status).toBe('fail'));
});

describe('the check of the state folder', () => {
  it('accepts one that is there, and one that can be made', () => {
    expect(checkHome(openHome(join(folder, 'home'))).status).toBe('ok');
    expect(checkHome(join(folder, 'new', 'home'))).toMatchObject({
      status: 'ok',
      detail: expect.stringContaining('first start'),
    });
  });

  it('refuses one of another version', () => {
    const home = openHome(join(folder, 'home'));
    writeFileSync(homePaths(home).version, '7');
    expect(checkHome(home)).toMatchObject({ status: 'fail', detail: expect.stringContaining('layout version 7') });
  });

  it('refuses one too long for the socket of an attached volume', () => {
    const longest = '/'.padEnd(60, 'x');
    expect(checkHome(`${longest}x`)).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('1 bytes too long'),
    });
    expect(checkHome(longest).detail).not.toContain('too long');
  });
});

describe('the doctor', () => {
  const context = {} as DoctorContext;
  const check = (status: 'ok' | 'warn' | 'fail'): Check => ({
    name: status,
    run: () => ({ status, detail: 'd', remedy: 'mend it' }),
  });
  const run = async (...checks: Check[]) => {
    const lines: string[] = [];
    return { healthy: await doctor(checks, context, (line) => lines.push(line)), lines };
  };

  it('is content with warnings, not with failures', async () => {
    expect((await run(check('ok'), check('warn'))).healthy).toBe(true);
    expect((await run(check('ok'), check('fail'), check('ok'))).healthy).toBe(false);
  });

  it('says how to mend what is wrong, and only that', async () => {
    expect((await run(check('ok'))).lines).toHaveLength(1);
    expect((await run(check('warn'), check('fail'))).lines.filter((line) => line.includes('-> mend it'))).toHaveLength(
      2,
    );
  });
});
