/** JSON-RPC as language servers speak it: messages with a `Content-Length` before each. */

export interface RpcConnection {
  /** Rejects when the server answers with an error, and when it ends before it answers. */
  readonly request: (method: string, params: unknown) => Promise<unknown>;
  readonly notify: (method: string, params: unknown) => void;
  /** For what the server has written. */
  readonly receive: (chunk: Buffer) => void;
  /** Nothing more will come: requests that wait are rejected. */
  readonly close: (reason: string) => void;
}

export interface RpcHandlers {
  readonly write: (message: Buffer) => void;
  readonly onNotification: (method: string, params: unknown) => void;
  /** The answer to a request of the server. */
  readonly onRequest: (method: string, params: unknown) => unknown;
}

interface Message {
  readonly id?: number | string | null;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message?: string };
}

/** Messages larger than this end the connection. */
const maxMessageBytes = 64 * 1024 * 1024;

export function createRpcConnection(handlers: RpcHandlers): RpcConnection {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let nextId = 1;
  let received: Buffer = Buffer.alloc(0);
  let closed: string | undefined;

  const send = (message: object): void => {
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }), 'utf8');
    handlers.write(Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]));
  };
  const close = (reason: string): void => {
    closed ??= reason;
    for (const { reject } of waiting.values()) reject(new Error(reason));
    waiting.clear();
  };
  const take = (message: Message): void => {
    const { id, method, params } = message;
    if (method !== undefined) {
      if (id === undefined || id === null) handlers.onNotification(method, params);
      else send({ id, result: handlers.onRequest(method, params) ?? null });
      return;
    }
    const answer = waiting.get(Number(id));
    waiting.delete(Number(id));
    if (message.error === undefined) answer?.resolve(message.result);
    else answer?.reject(new Error(message.error.message ?? 'the language server answered with an error'));
  };

  return {
    request: async (method, params) => {
      if (closed !== undefined) throw new Error(closed);
      const id = nextId;
      nextId += 1;
      const answer = Promise.withResolvers<unknown>();
      waiting.set(id, answer);
      send({ id, method, params });
      return answer.promise;
    },
    notify: (method, params) => send({ method, params }),
    receive: (chunk) => {
      received = Buffer.concat([received, chunk]);
      for (;;) {
        const headerEnd = received.indexOf('\r\n\r\n');
        if (headerEnd === -1) return;
        const length = Number(/content-length: *(\d+)/i.exec(received.toString('latin1', 0, headerEnd))?.[1]);
        if (!(length <= maxMessageBytes)) return close('the language server does not speak its protocol');
        const end = headerEnd + 4 + length;
        if (received.length < end) return;
        const body = received.toString('utf8', headerEnd + 4, end);
        received = received.subarray(end);
        try {
          take(JSON.parse(body));
        } catch {
          return close('the language server does not speak its protocol');
        }
      }
    },
    close,
  };
}
