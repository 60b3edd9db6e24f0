const maxBodyBytes = 32 * 1024 * 1024;

/**
 * `fetch`, of whose answers only so much is read: more is an error to whoever reads. It follows no redirect: headers with keys are for the
 * address that was configured.
 */
export async function limitedFetch(url: string | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...init, redirect: 'manual' });
  if (response.status >= 300 && response.status < 400 && response.status !== 304) {
    await response.body?.cancel();
    throw new Error(`it redirects to ${response.headers.get('location') ?? 'another address'}, which is not followed`);
  }
  if (response.body === null) return response;
  let size = 0;
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        size += chunk.length;
        if (size > maxBodyBytes)
          controller.error(new Error(`its answer is larger than ${maxBodyBytes / 1024 / 1024} MiB`));
        else controller.enqueue(chunk);
      },
    }),
  );
  const { status, statusText, headers } = response;
  return new Response(counted, { status, statusText, headers });
}
