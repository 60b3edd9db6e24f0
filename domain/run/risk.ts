import type { AskReason, ToolRisk } from '../contracts/activities.ts';

/** Such calls run side by side, and again when they were lost. */
export function changesNothing(risk: ToolRisk): boolean {
  return risk === 'read' || risk === 'network';
}

/**
 * Whether a person is asked before a shell command runs, and why; undefined for nearly all commands. It reads the command
 * line as a shell would in most cases, not in all: it is there for agents that mean well. What must not happen at all
 * needs credentials that are not on this machine, or a sandbox.
 */
export function askAbout(command: string): AskReason | undefined {
  const found = commandsOf(command, 0)
    .map(reasonOf)
    .filter((reason) => reason !== undefined);
  return found.find((reason) => !reason.isSafe) ?? found[0];
}

const leaves = (why: string): AskReason => ({ why, isSafe: false });
const stays = (why: string): AskReason => ({ why, isSafe: true });

const deepest = 5;

/** The simple commands of a line as words, without what only wraps them. */
function commandsOf(line: string, depth: number): string[][] {
  return split(line).flatMap((words) => unwrapped(words, depth));
}

/** Splits at operators and line ends outside of quotes; the commands of `$(…)` and backquotes are commands too. */
function split(line: string): string[][] {
  const commands: string[][] = [[]];
  let word: string | undefined;
  let quote = '';
  const endWord = () => {
    if (word !== undefined) commands.at(-1)?.push(word);
    word = undefined;
  };
  for (let index = 0; index < line.length; index++) {
    const character = line[index] ?? '';
    const startsCommand = character === '`' || (character === '$' && line[index + 1] === '(');
    if (character === '\\' && quote !== "'") word = (word ?? '') + (line[++index] ?? '');
    else if (quote !== "'" && startsCommand) {
      endWord();
      commands.push([]);
      if (character === '$') index++;
    } else if (quote !== '') {
      if (character === quote) quote = '';
      else word = (word ?? '') + character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (/[;&|()\n{}]/.test(character)) {
      endWord();
      commands.push([]);
    } else if (/\s/.test(character)) endWord();
    else word = (word ?? '') + character;
  }
  endWord();
  return commands.filter((words) => words.length > 0);
}

/** Commands that run another one, and how many words of their own come before it. */
const wrappers: ReadonlyMap<string, number> = new Map([
  ...['env', 'nice', 'nohup', 'setsid', 'time', 'stdbuf', 'xargs', 'command', 'exec'].map((name) => [name, 0] as const),
  // Words of the shell itself that stand before a command.
  ...['if', 'then', 'elif', 'else', 'while', 'until', 'do', '!'].map((word) => [word, 0] as const),
  ['timeout', 1],
]);
/** Options of wrappers that take a word. */
const takesWord = /^-(?:[uCnsIkLPdE]|-unset|-chdir|-signal|-kill-after|-max-args|-max-procs|-adjustment)$/;
const shells = /^(?:ba|da|z|k)?sh$/;

function unwrapped(words: readonly string[], depth: number): string[][] {
  const rest = words.slice(words.findIndex((word) => !/^\w+=/.test(word)));
  const [first = ''] = rest;
  const name = first.slice(first.lastIndexOf('/') + 1);
  if (depth >= deepest) return [rest];
  if (shells.test(name)) {
    const at = rest.findIndex((word) => /^-\w*c$/.test(word));
    return at < 0 ? [rest] : commandsOf(rest[at + 1] ?? '', depth + 1);
  }
  if (name === 'eval') return commandsOf(rest.slice(1).join(' '), depth + 1);
  const own = wrappers.get(name);
  if (own === undefined) return [[name, ...rest.slice(1)]];
  let index = 1;
  while (index < rest.length && /^(?:-|\w+=)/.test(rest[index] ?? ''))
    index += takesWord.test(rest[index] ?? '') ? 2 : 1;
  const wrapped = rest.slice(index + own);
  return wrapped.length === 0 ? [] : unwrapped(wrapped, depth + 1);
}

function reasonOf([name = '', ...args]: readonly string[]): AskReason | undefined {
  const verb = args.find((word) => !word.startsWith('-')) ?? '';
  const has = (pattern: RegExp) => args.some((word) => pattern.test(word));
  switch (name) {
    case 'sudo':
    case 'doas':
    case 'su':
      return leaves('it acts as another user');
    case 'git':
      return gitReason(args);
    case 'npm':
    case 'pnpm':
    case 'yarn':
    case 'bun':
    case 'cargo':
    case 'poetry':
    case 'uv':
      if (verb === 'publish' || verb === 'unpublish' || verb === 'yank') return leaves('it publishes a package');
      return has(/^(?:-g|--global)$/) ? stays('it changes packages outside the workspace') : undefined;
    case 'gem':
      return verb === 'push' ? leaves('it publishes a package') : undefined;
    case 'twine':
      return verb === 'upload' ? leaves('it publishes a package') : undefined;
    case 'curl':
      return has(/^(?:-[A-Za-z]*[dFT]|--data.*|--json|--form.*|--upload-file)/) ||
        has(/^(?:-X)?(?:POST|PUT|PATCH|DELETE)$/)
        ? leaves('it sends data to another machine')
        : undefined;
    case 'wget':
      return has(/^--(?:post|body|method)/) ? leaves('it sends data to another machine') : undefined;
    case 'scp':
    case 'sftp':
    case 'ftp':
    case 'ssh':
      return leaves('it works on another machine');
    case 'rsync':
      return has(/^[^/]*:/) ? leaves('it works on another machine') : undefined;
    case 'codetether':
      return verb === 'trust' ? leaves('it lets commands of the project run by themselves') : undefined;
    case 'kubectl':
    case 'helm':
    case 'terraform':
    case 'aws':
    case 'gcloud':
    case 'az':
    case 'gh':
      return leaves('it works on a remote service');
    case 'docker':
    case 'podman':
      return verb === 'push' || verb === 'login'
        ? leaves('it works on a remote service')
        : stays('it works on containers');
    case 'rm':
      return has(/^-\w*[rR]|^--recursive/) && args.some(isOutside)
        ? leaves('it deletes outside the workspace')
        : undefined;
    case 'shutdown':
    case 'reboot':
    case 'mkfs':
    case 'dd':
      return leaves('it acts on the machine itself');
    default:
      return undefined;
  }
}

function gitReason(args: readonly string[]): AskReason | undefined {
  let index = 0;
  while (args[index]?.startsWith('-') === true) index += /^-[Cc]$/.test(args[index] ?? '') ? 2 : 1;
  const [verb, ...rest] = args.slice(index);
  if (verb === 'push') return leaves('it pushes to a remote');
  if (verb === 'send-email') return leaves('it sends data to another machine');
  if (verb === 'worktree' || verb === 'update-ref' || verb === 'checkout' || verb === 'switch')
    return rest.includes('--') || (verb === 'worktree' && rest[0] === 'list')
      ? undefined
      : stays('it moves branches or checkouts of the repository');
  if (verb === 'branch' && rest.some((word) => /^-[dDfmM]|^--(?:delete|force|move)/.test(word)))
    return stays('it moves branches or checkouts of the repository');
  return undefined;
}

/** A path that leaves the folder the command runs in, temporary folders not counted. */
function isOutside(word: string): boolean {
  if (word.startsWith('-') || /^\/(?:tmp|var\/tmp)\/./.test(word)) return false;
  return /^[/~]|^\$\{?HOME|(?:^|\/)\.\.(?:\/|$)/.test(word);
}
