import { Command, Option } from 'commander';
import { onAskPolicies } from '../../domain/run/approval.ts';
import type { SteerVerb } from '../../domain/contracts/api.ts';
import {
  concurrency,
  diskSize,
  dollars,
  outputFormats,
  percentage,
  runExitCodes,
  sequenceNumber,
  shortExitCodes,
  timeSpan,
  tokenCount,
  wholeNumber,
  withHelpEnd,
} from './ralph/options.ts';
import type { ReloadOptions } from './ralph/reload.ts';
import type { RunOptions } from './ralph/run.ts';
import type { RollbackOptions } from './ralph/rollback.ts';
import type { AttachOptions } from './ralph/attach.ts';
import type { LogsOptions } from './ralph/logs.ts';
import type { ShowOptions } from './ralph/show.ts';
import type { ResumeOptions } from './ralph/resume.ts';
import type { CreatePrdOptions } from './ralph/create-prd.ts';

const runArgument = ['[run]', "id of a run, or the beginning of one; default: this repository's newest"] as const;
const detachOnAskOption = [
  '--detach-on-ask',
  'leave the run running when it waits for a person and nothing else goes on; exit code 6',
] as const;
const prdOption = ['-p, --prd <file>', 'the newest run of this PRD'] as const;

/** `codetether ralph`: work off a PRD. What a command does is loaded when it is called. */
export function command(): Command {
  const ralph = new Command('ralph')
    .summary('work off a PRD, story by story')
    .description(
      'Works off the user stories of a PRD: a fresh agent for each, checked by your own gates, committed and merged.',
    )
    .helpCommand(false)
    .commandsGroup('Work:')
    .addCommand(runCommand())
    .commandsGroup('Look:')
    .addCommand(attachCommand())
    .addCommand(statusCommand())
    .addCommand(listCommand())
    .addCommand(logsCommand())
    .addCommand(showCommand())
    .commandsGroup('Steer:')
    .addCommand(steerCommand('pause', 'start nothing new; steps under way finish'))
    .addCommand(resumeCommand())
    .addCommand(steerCommand('stop', 'end the run after the steps under way'))
    .addCommand(steerCommand('cancel', 'end the run now'))
    .addCommand(reloadCommand())
    .addCommand(nudgeCommand())
    .addCommand(retryCommand())
    .addCommand(rollbackCommand())
    .commandsGroup('Write a PRD:')
    .addCommand(validateCommand())
    .addCommand(createPrdCommand());
  return withHelpEnd(ralph, {
    examples: [
      ['codetether ralph create-prd -f "add due dates"', 'write prd.json for this repository'],
      ['codetether ralph run --model anthropic/NAME', 'work off prd.json'],
      ['codetether ralph attach', 'watch the run that goes on'],
    ],
    exitCodes: runExitCodes,
  });
}

function runCommand(): Command {
  const run = new Command('run')
    .summary('work off a PRD and show how it goes')
    .description(
      'Works off the stories of a PRD that have not passed, and shows how it goes. A run that goes on already is attached to; one that has ended goes on with what is left.',
    )
    .option('-p, --prd <file>', 'the PRD: JSON or YAML', 'prd.json')
    .option('-m, --model <provider/model>', 'default: CODETETHER_DEFAULT_MODEL or defaultModel in config.yaml')
    .option('--fallback-model <provider/model>', 'answers a step that the model was asked for three times in vain')
    .option('--branch <name>', "the run branch, instead of the PRD's")
    .optionsGroup('Limits:')
    .option(
      '--max-iterations <n>',
      'attempts of all stories together (default: 3 for each open story, at least 10)',
      wholeNumber,
    )
    .option('--max-attempts <n>', 'attempts of one story (default: 3)', wholeNumber)
    .option('--max-steps <n>', 'model calls of one attempt (default: 50)', wholeNumber)
    .option('--max-concurrent <n>', 'stories worked on at the same time (default: 4)', concurrency)
    .option('--max-cost <usd>', 'US dollars, e.g. 2 or 0.50', dollars)
    .option('--max-tokens <n>', 'tokens, e.g. 400k or 1.5M', tokenCount)
    .option('--max-total-steps <n>', 'model calls of all stories together', wholeNumber)
    .option('--max-time <time>', 'wall clock, e.g. 2h30m', timeSpan)
    .option('--max-disk <size>', 'of the worktrees, e.g. 5g (default: CODETETHER_MAX_DISK, else 50g)', diskSize)
    .optionsGroup('What to do:')
    .option('--detach', 'start the run, print its id and leave it running')
    .option(...detachOnAskOption)
    .option('--dry-run', 'check everything and print the plan; start nothing')
    .addOption(
      new Option(
        '--on-ask <policy>',
        'when something has to be asked; default: wait on a terminal or with a flag that asks, else deny',
      ).choices(onAskPolicies),
    )
    .option('--ask-at <percent>', 'ask whether to go on when so much of --max-cost is spent, e.g. 80', percentage)
    .option('--ask-plan', 'ask before the first story is worked on')
    .option('--ask-merge', 'ask before a story is merged')
    .option('--ask-timeout <time>', 'how long a person is waited for; default: 24h', timeSpan)
    .option('--remote <path|url>', 'share the run with other hosts through this bare repository; see docs/hosts.md')
    .option('--allow-unchecked', 'accept stories that nothing checks')
    .option('--allow-dirty', 'start although the checkout has uncommitted changes; they are left alone')
    .optionsGroup('Output:');
  return withHelpEnd(addOutputOptions(run), {
    examples: [
      ['codetether ralph run --model anthropic/NAME', 'prd.json of this folder'],
      ['codetether ralph run -p login.yaml --max-cost 5', 'with a cap of 5 US dollars'],
      ['codetether ralph run --output-format stream-json', 'one JSON line for each event'],
    ],
    exitCodes: runExitCodes,
  }).action(async (options: RunOptions) => {
    process.exitCode = await (await import('./ralph/run.ts')).run(options);
  });
}

function attachCommand(): Command {
  const attach = new Command('attach')
    .summary('watch a run')
    .description('Shows how a run goes, until it ends; it ends like the run. Ctrl-C leaves the run running.')
    .argument(...runArgument)
    .option(...prdOption)
    .option('--since-seq <n>', 'only events after this one, to read on where a reader has stopped', sequenceNumber)
    .option(...detachOnAskOption)
    .optionsGroup('Output:');
  return withHelpEnd(addOutputOptions(attach), {
    examples: [
      ['codetether ralph attach', "this repository's newest run"],
      ['codetether ralph attach due-dates', 'a run by the last part of its id'],
      ['codetether ralph attach due-dates --since-seq 120', 'read on after event 120'],
    ],
    exitCodes: runExitCodes,
  }).action(async (run: string | undefined, options: AttachOptions) => {
    process.exitCode = await (await import('./ralph/attach.ts')).attach(run, options);
  });
}

function addOutputOptions(command: Command): Command {
  return command
    .addOption(new Option('--output-format <format>', 'how to print').choices(outputFormats).default('text'))
    .option('--json', 'the same as --output-format json: one JSON object at the end')
    .option('-q, --quiet', 'only the result')
    .option('-v, --verbose', 'a line for everything that happens, instead of the board');
}

function statusCommand(): Command {
  const status = new Command('status')
    .summary('how a run stands')
    .description('Prints how a run stands, as Markdown.')
    .argument(...runArgument)
    .option(...prdOption)
    .option('--json', 'as one JSON object');
  return withHelpEnd(status, {
    examples: [
      ['codetether ralph status', "this repository's newest run"],
      ['codetether ralph status due-dates', 'a run by the last part of its id'],
      ['codetether ralph status --prd prd.json --json', 'the newest run of a PRD, for a program'],
    ],
    exitCodes: shortExitCodes,
  }).action(async (run: string | undefined, options: { readonly prd?: string; readonly json?: boolean }) => {
    process.exitCode = await (await import('./ralph/status.ts')).status(run, options);
  });
}

function listCommand(): Command {
  const list = new Command('list')
    .summary('the runs there are')
    .description('Prints the runs there are, newest first; off a terminal as tab-separated values.')
    .option('--limit <n>', 'so many at most', wholeNumber, 20)
    .option('--json', 'as one JSON object');
  return withHelpEnd(list, {
    examples: [
      ['codetether ralph list', 'the newest 20'],
      ['codetether ralph list --limit 5 --json', 'for a program'],
      ['codetether ralph list | cut -f1', 'the ids'],
    ],
    exitCodes: shortExitCodes,
  }).action(async (options: { readonly limit: number; readonly json?: boolean }) => {
    process.exitCode = await (await import('./ralph/list.ts')).list(options);
  });
}

function logsCommand(): Command {
  const logs = new Command('logs')
    .summary('all that has happened in a run')
    .description("Prints a run's event log, or one story's with what its red checks have written.")
    .argument(...runArgument)
    .argument('[story]', 'id of a story')
    .option(...prdOption)
    .option('-f, --follow', 'go on until the run ends')
    .option('--since-seq <n>', 'only events after this one', sequenceNumber)
    .option('--json', 'one JSON object a line')
    .option('-v, --verbose', 'with every model answer and tool call');
  return withHelpEnd(logs, {
    examples: [
      ['codetether ralph logs', "this repository's newest run"],
      ['codetether ralph logs US-007', 'one story of it'],
      ['codetether ralph logs due-dates -f', 'go on until the run ends'],
    ],
    exitCodes: [...shortExitCodes, [130, 'interrupted: the run goes on']],
  }).action(async (run: string | undefined, story: string | undefined, options: LogsOptions) => {
    process.exitCode = await (await import('./ralph/logs.ts')).logs(run, story, options);
  });
}

function showCommand(): Command {
  const show = new Command('show')
    .summary("one story's attempts and the evidence for each")
    .description(
      'Prints what came of each attempt at a story, and every check of it: commit, tree, command, exit code, time, log.',
    )
    .argument('<story>', 'id of a story')
    .argument(...runArgument)
    .option(...prdOption)
    .option('--log <check>', 'only what the newest check of that name has written: a gate, verification, or change')
    .option('--json', 'as one JSON object');
  return withHelpEnd(show, {
    examples: [
      ['codetether ralph show US-007', "a story of this repository's newest run"],
      ['codetether ralph show US-007 due-dates', 'of a run by the last part of its id'],
      ['codetether ralph show US-007 --log test', 'the whole output of the gate test'],
    ],
    exitCodes: shortExitCodes,
  }).action(async (story: string, run: string | undefined, options: ShowOptions) => {
    process.exitCode = await (await import('./ralph/show.ts')).show(story, run, options);
  });
}

function resumeCommand(): Command {
  const resume = new Command('resume')
    .summary('go on after a pause or an end, with other caps if wanted')
    .description(
      'Goes on with a run that is paused, or that has ended and is not done: with the model and limits it had, and the caps given here. What has passed is kept, and what was spent counts.',
    )
    .argument('[run]', "id of a run, or the beginning of one; default: this repository's newest")
    .option(...prdOption)
    .optionsGroup('Caps from now on:')
    .option('--max-cost <usd>', 'US dollars, e.g. 2 or 0.50', dollars)
    .option('--max-tokens <n>', 'tokens, e.g. 400k or 1.5M', tokenCount)
    .option('--max-total-steps <n>', 'model calls of all stories together', wholeNumber)
    .option('--max-time <time>', 'wall clock, e.g. 2h30m', timeSpan)
    .optionsGroup('Output:')
    .option('--json', 'the run as one JSON object')
    .option('-q, --quiet', 'print nothing');
  return withHelpEnd(resume, {
    examples: [
      ['codetether ralph resume', "this repository's run"],
      ['codetether ralph resume due-dates --max-cost 5', 'one that has used up its budget'],
      ['codetether ralph resume --max-time 8h', 'with more time'],
    ],
    exitCodes: [...shortExitCodes, [5, 'the caps leave no room: give a larger one']],
  }).action(async (run: string | undefined, options: ResumeOptions) => {
    process.exitCode = await (await import('./ralph/resume.ts')).resume(run, options);
  });
}

function steerCommand(verb: Exclude<SteerVerb, 'resume'>, summary: string): Command {
  const sentence = `${summary[0]?.toUpperCase()}${summary.slice(1)}. What has passed is kept.`;
  const steer = new Command(verb)
    .summary(summary)
    .description(sentence)
    .argument('[run]', 'id of a run, or the beginning of one; default: the one of this repository that goes on')
    .option(...prdOption)
    .option('--json', 'the run as one JSON object')
    .option('-q, --quiet', 'print nothing');
  return withHelpEnd(steer, {
    examples: [
      [`codetether ralph ${verb}`, "this repository's run"],
      [`codetether ralph ${verb} due-dates`, 'a run by the last part of its id'],
      [`codetether ralph ${verb} --prd prd.json`, 'the run of a PRD'],
    ],
    exitCodes: shortExitCodes,
  }).action(
    async (
      run: string | undefined,
      options: { readonly prd?: string; readonly json?: boolean; readonly quiet?: boolean },
    ) => {
      process.exitCode = await (await import('./ralph/steer.ts')).steer(verb, run, options);
    },
  );
}

const tellOptions = (command: Command) =>
  command
    .option(...prdOption)
    .option('--json', 'the run as one JSON object')
    .option('-q, --quiet', 'print nothing');

function nudgeCommand(): Command {
  const nudge = new Command('nudge')
    .summary('tell the agent of a story something')
    .description('Tells the agent that works on a story something; it reads it before its next step.')
    .argument('<story>', 'id of a story that is worked on')
    .argument('<text>', 'what it is told')
    .argument(...runArgument);
  return withHelpEnd(tellOptions(nudge), {
    examples: [
      ['codetether ralph nudge US-003 "use the date library"', "a story of this repository's run"],
      ['codetether ralph nudge US-003 "no new files" due-dates', 'of a run by the last part of its id'],
    ],
    exitCodes: shortExitCodes,
  }).action(async (storyId: string, text: string, run: string | undefined, options: { readonly prd?: string }) => {
    process.exitCode = await (await import('./ralph/tell.ts')).tell('nudge', { storyId, text, run }, options);
  });
}

function retryCommand(): Command {
  const retry = new Command('retry')
    .summary('open a failed story again')
    .description(
      'Gives a story that has failed one more attempt. A run that has ended goes on for it, with all of its tries; other failed stories are left as they are.',
    )
    .argument('<story>', 'id of a story that has failed')
    .argument(...runArgument)
    .option('--hint <text>', 'what its agent is told');
  return withHelpEnd(tellOptions(retry), {
    examples: [
      ['codetether ralph retry US-003', "a story of this repository's run"],
      ['codetether ralph retry US-003 --hint "see lib/"', 'with a hint'],
      ['codetether ralph retry US-003 due-dates', 'of a run by the last part of its id'],
    ],
    exitCodes: shortExitCodes,
  }).action(
    async (storyId: string, run: string | undefined, options: { readonly hint?: string; readonly prd?: string }) => {
      const message = { storyId, text: options.hint ?? '', run };
      process.exitCode = await (await import('./ralph/tell.ts')).tell('retry', message, options);
    },
  );
}

function reloadCommand(): Command {
  const reload = new Command('reload')
    .summary('follow the PRD as it was edited')
    .description(
      'Reads the PRD file of a run that goes on, checks it as a start does, and makes the run follow it: new stories, removed ones, other texts and gates. What has passed stays passed unless the file says passes: false.',
    )
    .argument('[run]', 'id of a run, or the beginning of one; default: the one of this repository that goes on')
    .option(...prdOption)
    .option('--dry-run', 'only say what would change')
    .option('--allow-unchecked', 'accept new stories that nothing checks')
    .option('--json', 'as one JSON object')
    .option('-q, --quiet', 'print nothing');
  return withHelpEnd(reload, {
    examples: [
      ['codetether ralph reload', "this repository's run"],
      ['codetether ralph reload --dry-run', 'what would change'],
      ['codetether ralph reload due-dates --json', 'for a program'],
    ],
    exitCodes: [
      [0, 'the run follows the file'],
      [1, 'error'],
      [2, 'the file is not usable, or no such run goes on; nothing was changed'],
      [75, 'temporary failure: the same command can work later'],
    ],
  }).action(async (run: string | undefined, options: ReloadOptions) => {
    process.exitCode = await (await import('./ralph/reload.ts')).reload(run, options);
  });
}

function rollbackCommand(): Command {
  const rollback = new Command('rollback')
    .summary('take a passed story off the run branch')
    .description(
      'Puts a commit on the run branch that takes back what a passed story did, once the gates are green without it. The story is open again: the run, or its next start, does it anew.',
    )
    .argument('<story>', 'id of a story that has passed')
    .argument(...runArgument)
    .option(...prdOption)
    .option('--cascade', 'also the stories that have passed and depend on it')
    .option('--json', 'as one JSON object')
    .option('-q, --quiet', 'print nothing');
  return withHelpEnd(rollback, {
    examples: [
      ['codetether ralph rollback US-003', "a story of this repository's newest run"],
      ['codetether ralph rollback US-003 due-dates', 'of a run by the last part of its id'],
      ['codetether ralph rollback US-003 --cascade', 'with all that were built on it'],
    ],
    exitCodes: shortExitCodes,
  }).action(async (story: string, run: string | undefined, options: RollbackOptions) => {
    process.exitCode = await (await import('./ralph/rollback.ts')).rollback(story, run, options);
  });
}

function validateCommand(): Command {
  const validate = new Command('validate')
    .summary('check a PRD')
    .description('Checks a PRD and prints in which order its stories can be worked on. Changes nothing.')
    .argument('[file]', 'the PRD: JSON or YAML', 'prd.json')
    .option('--json', 'as one JSON object');
  return withHelpEnd(validate, {
    examples: [
      ['codetether ralph validate', 'prd.json of this folder'],
      ['codetether ralph validate plans/login.yaml', 'another file'],
      ['codetether ralph validate --json', 'for a program'],
    ],
    exitCodes: [
      [0, 'usable'],
      [2, 'not usable; every problem is named with its place'],
    ],
  }).action(async (file: string, options: { readonly json?: boolean }) => {
    process.exitCode = await (await import('./ralph/validate.ts')).validate(file, options);
  });
}

function createPrdCommand(): Command {
  const createPrd = new Command('create-prd')
    .summary('write a first PRD for this repository')
    .description("Writes a PRD with one example story and the gates that fit the repository's language.")
    .option('-f, --feature <text>', 'what is to be built', 'new feature')
    .option('--project-name <name>', "default: the repository's folder name")
    .option('-o, --output <file>', 'where to write it', 'prd.json')
    .option('--force', 'overwrite the file')
    .option('--stdout', 'print it and write nothing')
    .option('--json', 'the same as --stdout');
  return withHelpEnd(createPrd, {
    examples: [
      ['codetether ralph create-prd -f "add due dates"', 'prd.json of this folder'],
      ['codetether ralph create-prd -o plans/login.json', 'another file'],
      ['codetether ralph create-prd --stdout', 'only look'],
    ],
    exitCodes: [
      [0, 'written'],
      [1, 'error'],
      [2, 'the command line is not right, or the file is there already'],
    ],
  }).action(async (options: CreatePrdOptions) => {
    process.exitCode = await (await import('./ralph/create-prd.ts')).createPrd(options);
  });
}
