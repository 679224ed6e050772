import type { ExportBackend } from './export-backend.ts';
import type { NbdRequest } from './request-parser.ts';
import { Command, CommandFlag, NbdErrno } from './wire.ts';

interface Rule {
  /** Command flags that have a meaning here; FUA is allowed with every command, as the protocol says. */
  readonly flags: number;
  readonly changes: boolean;
  /** The request moves or needs as many bytes as it names, so its length is limited. */
  readonly hasPayload: boolean;
  /** The error for a range beyond the export's end. */
  readonly beyondEnd: number;
}

const RULES: Readonly<Record<number, Rule>> = {
  [Command.Read]: { flags: CommandFlag.DontFragment, changes: false, hasPayload: true, beyondEnd: NbdErrno.EINVAL },
  [Command.Write]: { flags: 0, changes: true, hasPayload: true, beyondEnd: NbdErrno.ENOSPC },
  [Command.Trim]: { flags: 0, changes: true, hasPayload: false, beyondEnd: NbdErrno.EINVAL },
  [Command.Cache]: { flags: 0, changes: false, hasPayload: true, beyondEnd: NbdErrno.EINVAL },
  [Command.WriteZeroes]: {
    flags: CommandFlag.NoHole | CommandFlag.FastZero,
    changes: true,
    hasPayload: false,
    beyondEnd: NbdErrno.ENOSPC,
  },
  [Command.BlockStatus]: {
    flags: CommandFlag.RequestOne,
    changes: false,
    hasPayload: false,
    beyondEnd: NbdErrno.EINVAL,
  },
};

export interface NegotiatedLimits {
  readonly maxPayloadBytes: number;
  readonly structuredReplies: boolean;
  readonly allocationContext: boolean;
}

/** @returns the error number that refuses the request, or 0 if the backend may see it. */
export const checkRequest = (request: NbdRequest, backend: ExportBackend, negotiated: NegotiatedLimits): number => {
  const { type, flags, offsetBytes, lengthBytes } = request;
  if (type === Command.Flush) {
    const isPlain = offsetBytes === 0 && lengthBytes === 0 && (flags & ~CommandFlag.Fua) === 0;
    return isPlain ? 0 : NbdErrno.EINVAL;
  }
  const rule = RULES[type];
  if (rule === undefined || (flags & ~(rule.flags | CommandFlag.Fua)) !== 0) return NbdErrno.EINVAL;
  if ((flags & CommandFlag.DontFragment) !== 0 && !negotiated.structuredReplies) return NbdErrno.EINVAL;
  if (type === Command.BlockStatus && !(negotiated.structuredReplies && negotiated.allocationContext)) {
    return NbdErrno.EINVAL;
  }
  if (rule.changes && backend.readOnly) return NbdErrno.EPERM;
  if (lengthBytes === 0 || (rule.hasPayload && lengthBytes > negotiated.maxPayloadBytes)) return NbdErrno.EINVAL;
  // Both are safe integers or the offset is Infinity, and their sum is exact where it matters.
  if (offsetBytes + lengthBytes > backend.sizeBytes) return rule.beyondEnd;
  if ((flags & CommandFlag.FastZero) !== 0 && backend.fastZeroes !== true) return NbdErrno.ENOTSUP;
  return 0;
};
