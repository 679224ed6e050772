/** One line of the table. */
export interface Row {
  figure: string;
  value: string;
  yardstick: string;
  ratio: number;
  /** What the project holds itself to: the ratio's floor. Absent where nothing is promised yet. */
  target?: number;
  /** What it could be. */
  aim?: number;
  /** `target` is a ceiling: less is better. */
  isAtMost?: boolean;
}

export const isHeld = ({ ratio, target, isAtMost = false }: Row): boolean =>
  target === undefined || (isAtMost ? ratio <= target : ratio >= target);
