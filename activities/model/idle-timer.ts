export interface IdleTimer {
  /** Aborts when nothing happened for the time, or when the outer signal aborts. */
  readonly signal: AbortSignal;
  readonly isIdle: () => boolean;
  touch(): void;
  stop(): void;
}

/** Must be stopped, else it keeps its timer. */
export function startIdleTimer(timeoutMs: number, outer: AbortSignal): IdleTimer {
  const controller = new AbortController();
  let idle = false;
  const timer = setTimeout(() => {
    idle = true;
    controller.abort();
  }, timeoutMs);
  return {
    signal: AbortSignal.any([outer, controller.signal]),
    isIdle: () => idle,
    touch: () => {
      if (!idle) timer.refresh();
    },
    stop: () => clearTimeout(timer),
  };
}
