import { CodetetherError } from '../../domain/errors.ts';

export interface Transport {
  readonly fetch: typeof globalThis.fetch;
  /** What has come so far. */
  readonly seen: { accepted: boolean; receivedBytes: number };
}

/**
 * A fetch that notes what comes over the wire: every sign of life calls `onActivity`, a provider's keep-alive lines
 * (which the SDK hides) included.
 */
export function watchedTransport(provider: string, onActivity: () => void): Transport {
  const seen = { accepted: false, receivedBytes: 0 };
  return {
    seen,
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      onActivity();
      if (!response.ok) return response;
      seen.accepted = true;
      if (response.headers.get('content-type')?.includes('text/html') === true) throw webPage(provider, response);
      if (response.body === null) return response;
      const body = response.body.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform(chunk, controller) {
            seen.receivedBytes += chunk.byteLength;
            onActivity();
            controller.enqueue(chunk);
          },
        }),
      );
      return new Response(body, { status: response.status, headers: response.headers });
    },
  };
}

function webPage(provider: string, response: Response): CodetetherError {
  return new CodetetherError('provider-rejected', `${provider} answered with a web page`, {
    next: `Check the base URL of ${provider} (${URL.parse(response.url)?.host ?? 'unknown host'}).`,
    details: { provider, status: response.status, mayHaveCost: false },
  });
}
