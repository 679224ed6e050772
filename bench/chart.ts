// The figures as bars, each against its floor: one picture that says which are held and by how much.
import { isHeld, type Row } from './row.ts';

const LEFT = 520;
const WIDTH = 420;
const LINE = 22;
const TOP = 56;
/** The bars' scale is logarithmic: from a fourth of the floor to eight times it. */
const [LEAST, MOST] = [-2, 3];

const escaped = (text: string): string => text.replace(/[&<>"]/g, (char) => `&#${String(char.charCodeAt(0))};`);

const place = (times: number): number => {
  const at = (Math.log2(Math.max(times, 1e-9)) - LEAST) / (MOST - LEAST);
  return LEFT + WIDTH * Math.min(1, Math.max(0, at));
};

/** How many times better than its floor; a ceiling turned round. */
const timesFloor = (value: number, { target = 1, isAtMost = false }: Row): number =>
  isAtMost ? target / value : value / target;

const bar = (row: Row, line: number): string => {
  const y = TOP + line * LINE;
  const { figure, yardstick, ratio, target, aim, isAtMost = false } = row;
  const start = place(2 ** LEAST);
  const end = place(timesFloor(ratio, row));
  const colour = isHeld(row) ? '#2e7d32' : '#c62828';
  const sign = isAtMost ? '≤' : '≥';
  const mark = aim === undefined ? '' : `<path d="M${place(timesFloor(aim, row)).toFixed(1)} ${String(y - 13)}v16" stroke="#1565c0" stroke-width="2"/>`;
  return [
    `<g><title>${escaped(`${figure}: ${row.value}, beside ${yardstick}`)}</title>`,
    `<text x="${String(LEFT - 8)}" y="${String(y)}" text-anchor="end">${escaped(figure)}</text>`,
    `<rect x="${start.toFixed(1)}" y="${String(y - 12)}" width="${Math.max(1, end - start).toFixed(1)}" height="14" fill="${colour}"/>`,
    mark,
    `<text x="${String(LEFT + WIDTH + 8)}" y="${String(y)}">${ratio.toPrecision(3)} (${sign} ${String(target)})</text></g>`,
  ].join('');
}; // prettier-ignore

/** @returns an SVG of the rows that have a floor. */
export const chartOf = (rows: readonly Row[], machine: string): string => {
  const drawn = rows.filter(({ target, ratio }) => target !== undefined && Number.isFinite(ratio));
  const height = TOP + drawn.length * LINE + 12;
  const floor = place(1).toFixed(1);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${String(LEFT + WIDTH + 160)}" height="${String(height)}" font-family="sans-serif" font-size="12">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    `<text x="12" y="20" font-size="14">Ratios against their floors (the line) and aims (the marks), logarithmic. ${escaped(machine)}</text>`,
    ...drawn.map((row, line) => bar(row, line)),
    `<path d="M${floor} ${String(TOP - 18)}V${String(height - 8)}" stroke="#000" stroke-dasharray="3 3"/>`,
    '</svg>\n',
  ].join('\n');
};
