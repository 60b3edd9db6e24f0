/**
 * The status and body of a GET on the API's Unix socket; `undefined` when nobody answers in time. Never throws.
 */
export async function getFromSocket(
  socketPath: string,
  path: string,
  options: { readonly timeoutMs: number },
): Promise<{ readonly status: number; readonly body: unknown } | undefined> {
  // Not by `import`, which makes Node load its WebSocket and fetch client as well: 27 ms instead of 4.
  const { request } = process.getBuiltinModule('node:http');
  return await new Promise((resolve) => {
    const call = request({ socketPath, path, agent: false, timeout: options.timeoutMs }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', () => resolve(undefined));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parse(text) }));
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(undefined));
    call.on('close', () => resolve(undefined));
    call.end();
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: the status alone tells.
    return null;
  }
}
