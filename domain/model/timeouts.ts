/** How long a model call may take. */
export interface ModelTimeouts {
  /** Silence of a provider for that long ends the call; five times that when the model is to think hard. */
  readonly idleTimeoutMs: number;
  /** A whole model call, however much of its answer has come. */
  readonly stepTimeoutMs: number;
}

/** Generous: models that think are slow. */
export const defaultModelTimeouts: ModelTimeouts = { idleTimeoutMs: 120_000, stepTimeoutMs: 900_000 };
