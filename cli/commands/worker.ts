import { Command } from 'commander';

/** `codetether worker`: one worker in the foreground; the local stack starts its own. */
export function command(): Command {
  return new Command('worker')
    .summary('run a worker in the foreground')
    .description(
      'Serves workflows, model calls and the tools of this host until it is told to end (SIGTERM). Needs DATABASE_URL and TEMPORAL_ADDRESS. With a data dir of its own it is a host of its own: stories of runs that were started with --remote come to it.',
    )
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  codetether worker\n' +
        '  CODETETHER_DATA_DIR=/var/lib/codetether codetether worker     another host, with clones and worktrees of its own\n' +
        '  CODETETHER_WORKER_SLOTS=4 codetether worker                   at most 4 tools and gates at a time\n' +
        '  CODETETHER_TOOL_PROFILE=full codetether worker                agents are told of all tools\n' +
        '  CODETETHER_STEP_TIMEOUT_SECS=1800 codetether worker           a model call may take half an hour\n' +
        '  CODETETHER_STREAM_IDLE_TIMEOUT_SECS=60 codetether worker      a silent provider is hung up on after a minute\n' +
        '  CODETETHER_TEXT_TOOL_MODELS=openai-compatible/small codetether worker   it is told of its tools in the prompt\n' +
        '  CODETETHER_WEB_HOSTS=docs.python.org codetether worker        hosts that agents may ask without a question\n' +
        '  CODETETHER_SECRET_KEYS=… codetether worker                    the same as those of codetether serve\n' +
        '  CODETETHER_PUSH_HOSTS=ci.internal:8080 codetether worker      receivers of push notifications on this network\n' +
        '\nSettings for the tools and the web: docs/tools.md.\n' +
        '\nExit codes: 0 ended, 1 error.\n\nMore: docs/hosts.md, codetether hosts',
    )
    .action(async () => {
      await import('../../services/worker/main.ts');
    });
}
