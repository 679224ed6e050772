import { expect, it } from 'vitest';
import { permissionsDocument } from './permissions-document.ts';

const FRESH = 'npx vitest run --project unit permissions-document -u writes it anew';

it('has the permissions of the tables in docs/permissions.md', async () => {
  await expect(await permissionsDocument(), FRESH).toMatchFileSnapshot('../../../../docs/permissions.md');
});
