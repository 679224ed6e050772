import { eventually } from './clients.ts';
import { holdfast } from './command-line.ts';

export interface Told {
  readonly 'detail-type': string;
  readonly resources: readonly string[];
  readonly detail: Readonly<Record<string, unknown>>;
}

/** The first notification that says so, about something whose id is among its resources; waits until it is told. */
export const told = async (home: string, id: string, says: (detail: Told['detail']) => boolean): Promise<Told> => {
  const found = await eventually(
    async () => {
      const { stdout } = await holdfast(home, 'notifications', '--json');
      const lines = stdout.split('\n').filter((line) => line.includes(id));
      return lines.map((line) => JSON.parse(line) as Told).find(({ detail }) => says(detail));
    },
    (notification) => notification !== undefined,
    60_000,
  );
  if (found === undefined) throw new Error('unreachable: it was waited for');
  return found;
};
