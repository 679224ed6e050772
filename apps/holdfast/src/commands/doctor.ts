import type { Check, DoctorContext, Finding } from '../doctor-checks.ts';

const MARKS: Record<Finding['status'], string> = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' };
const NAME_WIDTH = 14;

/** Prints what each check found and how to mend it. @returns whether a start would succeed. */
export const doctor = async (
  checks: readonly Check[],
  context: DoctorContext,
  print: (text: string) => void,
): Promise<boolean> => {
  let healthy = true;
  for (const { name, run } of checks) {
    const { status, detail, remedy } = await run(context);
    if (status === 'fail') healthy = false;
    print(`${MARKS[status]}  ${name.padEnd(NAME_WIDTH)}${detail}`);
    if (status !== 'ok' && remedy !== undefined) print(`${' '.repeat(6 + NAME_WIDTH)}-> ${remedy}`);
  }
  return healthy;
};
