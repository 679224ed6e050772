/** One line of the table. */
export interface Row {
  figure: string;
  value: string;
  yardstick: string;
  ratio: number;
  /** What the project holds itself to; absent where nothing is promised yet. */
  target?: number;
}
