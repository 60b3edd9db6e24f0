interface AnyCall {
  readonly cancelled: boolean;
  once(event: 'cancelled', listener: () => void): unknown;
}

/** Aborts when whoever has called waits no more; it has aborted already where that was so before. */
export function whenGone(call: AnyCall): AbortSignal {
  const gone = new AbortController();
  call.once('cancelled', () => gone.abort());
  if (call.cancelled) gone.abort();
  return gone.signal;
}
