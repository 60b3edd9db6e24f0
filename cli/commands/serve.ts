import { Command, Option } from 'commander';
import { conformanceCards } from '../../domain/a2a/conformance.ts';
import type { ServeOptions } from './serve/run.ts';
import { portNumber } from './serve/port-number.ts';

/** `codetether serve`: the API for whoever has a token; the local stack serves its own user without it. */
export function command(): Command {
  return new Command('serve')
    .summary('serve the API to others')
    .description(
      'Serves the API over HTTP until it is told to end (SIGTERM, Ctrl-C). Whoever asks needs a token: codetether token create. Where DATABASE_URL and TEMPORAL_ADDRESS are set it serves those, and its own user on the Unix socket; else it starts the local stack and serves that. Any number of these processes serve as one.',
    )
    .option('-p, --port <port>', 'where to listen; 0 takes any that is free', portNumber, 4096)
    .option('--host <address>', 'which address to listen at', '127.0.0.1')
    .option('--hostname <address>', 'the same')
    .option(
      '--grpc-port <port>',
      'where gRPC listens, at the same address; 0 takes any that is free',
      portNumber,
      50_051,
    )
    .option('--no-grpc', 'serve no gRPC')
    .option('--tls-cert <file>', 'certificate chain in PEM; needed for addresses that other machines reach')
    .option('--tls-key <file>', 'its private key in PEM')
    .option(
      '--grpc-client-ca <file>',
      'PEM of the authority whose client certificates gRPC asks for (mTLS), beside a token',
    )
    .option('--allow-plain-http', 'serve other machines in clear: something in front does TLS')
    .addOption(
      new Option(
        '--conformance <card>',
        'for the official kits: anybody on this machine is taken, tasks answer by their prefix (docs/conformance.md)',
      ).choices(conformanceCards),
    )
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  codetether serve                                             this machine, http://127.0.0.1:4096, gRPC 127.0.0.1:50051\n' +
        '  codetether serve --host 0.0.0.0 --tls-cert chain.pem --tls-key key.pem\n' +
        '  codetether token create --name laptop --role operator        a token for it\n' +
        '  CODETETHER_SERVER=https://build-1:4096 CODETETHER_TOKEN=ct_… codetether ralph list\n' +
        '\nSettings (environment):\n' +
        '  CODETETHER_REQUESTS_PER_SECOND   of one credential, on average (100)\n' +
        '  CODETETHER_MAX_STREAMS           event streams of one credential (500)\n' +
        '  CODETETHER_MAX_CHAT_COST_USD     a day of /v1/chat/completions of one principal (no cap)\n' +
        '  CODETETHER_DRAIN_SECS            not ready for so long before it ends (1)\n' +
        '  CODETETHER_SECRET_KEYS           encrypt what is kept secret; of API and worker alike\n' +
        '  CODETETHER_PUSH_HOSTS            receivers of push notifications on this network\n' +
        '  CODETETHER_PUBLIC_URL            by which others reach it; the agent card is signed then\n' +
        '  CODETETHER_PUBLIC_GRPC           host:port of its gRPC for others, where that is not the same host\n' +
        '  TCK_STREAMING_TIMEOUT            a while for the kits, in seconds (2); long tasks of theirs take more than twice that\n' +
        '\nExit codes: 0 ended, 1 error, 2 the command line is not right, 75 temporary failure.\n\nMore: docs/serving.md',
    )
    .action(async (options: ServeOptions) => {
      const { serve } = await import('./serve/run.ts');
      await serve(options);
    });
}
