import { Command } from './wire.ts';

/** The commands as they are named in metrics, by their number in the protocol. */
const COMMAND_NAMES = {
  [Command.Read]: 'read',
  [Command.Write]: 'write',
  [Command.Flush]: 'flush',
  [Command.Trim]: 'trim',
  [Command.Cache]: 'cache',
  [Command.WriteZeroes]: 'write_zeroes',
  [Command.BlockStatus]: 'block_status',
} as const;

export type NbdCommandName = (typeof COMMAND_NAMES)[keyof typeof COMMAND_NAMES] | 'unknown';

/** Totals since the server started. `bytes` counts the ranges of requests that succeeded. */
export interface CommandStats {
  readonly command: NbdCommandName;
  readonly requests: number;
  readonly bytes: number;
  readonly errors: number;
}

export interface NbdStats {
  readonly commands: readonly CommandStats[];
  readonly connections: number;
  readonly connectionsTotal: number;
  /** Connections that ended because of what the client sent, or did not send in time, or because there were too many. */
  readonly connectionsRefused: number;
}

const UNKNOWN = 8;
const nameOf = (type: number): NbdCommandName => (COMMAND_NAMES as Record<number, NbdCommandName>)[type] ?? 'unknown';

/** Plain counters, cheap enough for every request; a metrics endpoint reads them when it is asked. */
export class StatsCounter {
  connections = 0;
  connectionsTotal = 0;
  connectionsRefused = 0;
  readonly #requests = new Array<number>(UNKNOWN + 1).fill(0);
  readonly #bytes = new Array<number>(UNKNOWN + 1).fill(0);
  readonly #errors = new Array<number>(UNKNOWN + 1).fill(0);

  /** @param errno 0 for success. */
  count(type: number, lengthBytes: number, errno: number): void {
    const index = type < UNKNOWN ? type : UNKNOWN;
    this.#requests[index] = (this.#requests[index] ?? 0) + 1;
    if (errno === 0) this.#bytes[index] = (this.#bytes[index] ?? 0) + lengthBytes;
    else this.#errors[index] = (this.#errors[index] ?? 0) + 1;
  }

  snapshot(): NbdStats {
    const { connections, connectionsTotal, connectionsRefused } = this;
    const commands = this.#requests.flatMap((requests, type) =>
      type === Command.Disconnect
        ? []
        : [{ command: nameOf(type), requests, bytes: this.#bytes[type] ?? 0, errors: this.#errors[type] ?? 0 }],
    );
    return { commands, connections, connectionsTotal, connectionsRefused };
  }
}
