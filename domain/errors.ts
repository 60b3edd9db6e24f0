/**
 * The error catalogue: every failure that a person or a program can see has a code here.
 * Codes are wire format. `docs/errors.md` is held equal to this table by a test.
 */

/** How a process ends; the list is part of every command's help. */
export const exitCodes = {
  completed: 0,
  error: 1,
  usage: 2,
  qualityFailed: 3,
  maxIterations: 4,
  budgetExceeded: 5,
  waitingForPerson: 6,
  temporary: 75,
  interrupted: 130,
} as const;

export interface ErrorEntry {
  /** True when the same request can succeed later without anybody changing anything. */
  readonly retryable: boolean;
  readonly exit: number;
  readonly http: number;
  /** gRPC status code (google.rpc.Code). */
  readonly grpc: number;
  /** JSON-RPC error code. */
  readonly jsonrpc: number;
  /** What happened, in one sentence. */
  readonly summary: string;
  /** What to do next. */
  readonly next: string;
}

const usage = (summary: string, next: string): ErrorEntry => ({
  retryable: false,
  exit: 2,
  http: 422,
  grpc: 3,
  jsonrpc: -32602,
  summary,
  next,
});
const state = (summary: string, next: string): ErrorEntry => ({
  retryable: false,
  exit: 2,
  http: 409,
  grpc: 9,
  jsonrpc: -32009,
  summary,
  next,
});
const temporary = (summary: string, next: string): ErrorEntry => ({
  retryable: true,
  exit: 75,
  http: 503,
  grpc: 14,
  jsonrpc: -32003,
  summary,
  next,
});
const internal = (summary: string, next: string): ErrorEntry => ({
  retryable: false,
  exit: 1,
  http: 500,
  grpc: 13,
  jsonrpc: -32603,
  summary,
  next,
});

export const errorCatalogue = {
  usage: usage('The command line is not right.', "Read the command's --help."),
  'config-invalid': usage('A setting has a value that cannot be used.', 'Correct the named setting.'),
  'extension-invalid': usage(
    'A file of skills, agents, commands or hooks cannot be used.',
    'Correct the named lines; docs/extensions.md shows the form.',
  ),
  'request-invalid': usage('The request does not have the documented shape.', 'Correct the named fields.'),
  'secret-key-missing': usage(
    'There is no key for what is to be kept secret, or not the one that it was encrypted with.',
    'Set CODETETHER_SECRET_KEYS, for API and worker alike; docs/serving.md says how.',
  ),
  'request-too-large': {
    ...usage('The request is larger than it may be.', 'Send less at once.'),
    http: 413,
  },
  'media-type-unsupported': {
    ...usage('The body is of a type that is not read here.', 'Send application/json.'),
    http: 415,
  },
  'method-not-allowed': {
    ...usage('There is such an address, but not for this method.', 'Use one of those that the header Allow names.'),
    http: 405,
    grpc: 12,
    jsonrpc: -32601,
  },
  'idempotency-key-reused': state(
    'The Idempotency-Key came with another request before.',
    'Give each request a key of its own, and the same only to send it again as it is.',
  ),
  'request-under-way': {
    ...state('The request with this Idempotency-Key is being done.', 'Send it again after the time in Retry-After.'),
    retryable: true,
    exit: 75,
  },
  'answer-not-repeatable': state(
    'The token was made when this request came first, and is shown only once.',
    'Where it got lost: revoke the named one, and make another with another Idempotency-Key.',
  ),
  'rate-limited': {
    ...temporary('This credential asks more than it may.', 'Ask again after the time in Retry-After.'),
    http: 429,
    grpc: 8,
  },
  'server-ending': temporary(
    'This process ends; what was asked goes on without it.',
    'Ask again: another process of the same address answers.',
  ),
  'not-found': {
    retryable: false,
    exit: 2,
    http: 404,
    grpc: 5,
    jsonrpc: -32004,
    summary: 'There is nothing with that id.',
    next: 'List what there is with codetether ralph list.',
  },
  'ambiguous-id': usage('The shortened id fits more than one.', 'Give more of the id.'),
  unauthenticated: {
    retryable: false,
    exit: 2,
    http: 401,
    grpc: 16,
    jsonrpc: -32007,
    summary: 'There is no credential, or it does not hold (any more).',
    next: 'Send Authorization: Bearer <token>; codetether token create makes one.',
  },
  'permission-denied': {
    retryable: false,
    exit: 2,
    http: 403,
    grpc: 7,
    jsonrpc: -32007,
    summary: 'This credential may not do that.',
    next: 'Use a credential with the named permission.',
  },
  'git-unusable': usage('git is missing or too old.', 'Install git 2.38 or newer, and put it on the PATH.'),
  'git-failed': internal('A git command has failed.', "Read git's message."),
  'editor-missing': usage('There is no editor that could be started.', 'Set VISUAL or EDITOR to the command of yours.'),
  'not-a-repository': usage('The folder is not in a git repository.', 'Run git init, or go to the repository.'),
  'repository-empty': usage(
    'The repository has no commit yet.',
    'Make a first commit: git add -A && git commit -m "start".',
  ),
  'repository-dirty': state(
    'The checkout has uncommitted changes where the run needs a clean state.',
    'Commit or stash them, or add --allow-dirty: the run starts from the last commit and leaves them alone.',
  ),
  'branch-checked-out': state(
    'The run branch is checked out, and a run never touches a checkout.',
    'Switch to another branch, or name another run branch with --branch.',
  ),
  'prd-missing': usage(
    'There is no PRD file at that path.',
    'Write one with codetether ralph create-prd, or name it with --prd.',
  ),
  'prd-invalid': usage('The PRD is not usable.', 'Correct the named places; check with codetether ralph validate.'),
  'prd-unchecked': usage(
    'Stories would pass without any check: the PRD has no quality checks and they have no verification steps.',
    'Add quality_checks to the PRD, or accept it with --allow-unchecked.',
  ),
  'gate-command-missing': usage(
    "A gate's command cannot be found.",
    'Install it, or correct quality_checks in the PRD.',
  ),
  'model-unknown': usage(
    'The model cannot be used.',
    'Name it provider/model; providers: anthropic, openai, google, openai-compatible, scripted.',
  ),
  'provider-key-missing': usage('There is no key for the provider.', 'Set the named environment variable.'),
  'script-invalid': usage(
    'The model script is not usable.',
    'Correct the named places; the format is described in docs/scripted-models.md.',
  ),
  'script-exhausted': internal('The model script has no answer for this call.', 'Add a turn for it to the script.'),
  'run-active': state('The run is being worked on.', 'Attach to it, or stop it first.'),
  'session-busy': state('The session has too much to do already.', 'Wait for some of its turns, or interrupt it.'),
  'session-idle': state('The session is not working on anything.', 'Send it a message.'),
  'context-refused': state(
    'The context of the session cannot be changed so.',
    'Look at it: codetether context budget.',
  ),
  'output-schema-mismatch': internal(
    'The answer does not follow its schema, also after the model was told.',
    'Ask again, or ask for less.',
  ),
  'rollback-refused': state(
    'The story cannot be taken off the run branch.',
    'Look at what stands in its way: codetether ralph status.',
  ),
  'reload-refused': state(
    'The run cannot follow the edited PRD right now.',
    'Reload again in a moment; nothing was changed.',
  ),
  'run-not-active': state('The run is not being worked on.', 'Start it again with codetether ralph run.'),
  'approval-settled': state(
    'The question is not waited for any more.',
    'List what is asked now: codetether approvals.',
  ),
  'provider-rejected': internal(
    'The model provider refused the request.',
    "Read the provider's message; check key, model name and account.",
  ),
  'context-too-long': internal(
    'The conversation does not fit the model, and nothing more can be left out of it.',
    'Use a model with a larger window, unpin turns, or give its true window in prices.yaml (contextTokens).',
  ),
  'provider-quota': {
    ...internal(
      'The account at the model provider is used up.',
      'Add credit or raise the limit there, then let the run try again.',
    ),
    http: 402,
    grpc: 8,
    jsonrpc: -32005,
  },
  'provider-overloaded': temporary(
    'The model provider is overloaded or limits the rate.',
    'Wait; the call is tried again by itself.',
  ),
  'provider-unreachable': temporary(
    'The model provider cannot be reached.',
    'Check the network and the base URL; the call is tried again by itself.',
  ),
  'provider-silent': temporary(
    'The model provider sent nothing for too long.',
    'Wait; the call is tried again by itself. For models that think for long, raise CODETETHER_STREAM_IDLE_TIMEOUT_SECS.',
  ),
  'provider-timeout': temporary(
    'The answer of the model took longer than a step may take.',
    'Wait; the call is tried again by itself. For slow models, raise CODETETHER_STEP_TIMEOUT_SECS.',
  ),
  'provider-answers-lost': internal(
    'Answers of the model broke off too often in one step; each may have cost money.',
    'Look at what stands between here and the provider (a proxy with a time limit?), then go on.',
  ),
  'answers-unusable': internal(
    'Too many answers of the model in a row were of no use: empty, cut off, or with tool calls that cannot be read.',
    'Try another model, or another effort; for one without tool calls of its own: CODETETHER_TEXT_TOOL_MODELS.',
  ),
  'engine-unreachable': temporary('The Temporal engine does not answer.', 'codetether doctor'),
  'engine-missing': {
    ...temporary(
      'The Temporal engine cannot be had on this machine.',
      'Install Go 1.26 or newer, or set CODETETHER_TEMPORAL_CLI to a temporal binary.',
    ),
    retryable: false,
    exit: 1,
  },
  'database-unreachable': temporary('PostgreSQL does not answer.', 'codetether doctor'),
  'api-unreachable': temporary('The codetether API does not answer.', 'codetether doctor'),
  'stack-failed': {
    ...temporary('The local stack did not come up.', 'codetether doctor, then codetether logs'),
    exit: 1,
  },
  'port-taken': temporary(
    'A port that the local stack was told to use is taken.',
    'Free it, or let codetether choose: unset the setting.',
  ),
  'issuer-unreachable': temporary(
    'The issuer of access tokens does not answer, so nobody can be told who asks.',
    'Check CODETETHER_OIDC_ISSUER and that server; tokens of codetether token create hold meanwhile.',
  ),
  'disk-full': temporary('The disk is full.', 'Free some space; the run goes on by itself.'),
  'disk-quota': state(
    "The run's worktrees take more disk than they may.",
    'Free some of it, or start the run again with a larger --max-disk.',
  ),
  'workspace-failed': internal('A git worktree could not be prepared.', "Read git's message."),
  'path-outside-workspace': {
    ...usage('The path is not inside the workspace.', 'Use a path inside the workspace.'),
    http: 403,
    grpc: 7,
  },
  'payload-too-large': internal(
    'A workflow payload is larger than 16 KB.',
    "This is a defect; report it with the run's id.",
  ),
  'remote-unavailable': temporary(
    "The repository's shared remote does not answer.",
    'Check its address, the network and the credentials that git uses there; a run that goes on tries again by itself.',
  ),
  'remote-not-github': usage(
    'The remote is not a repository at GitHub.',
    'Add the remote that is: git remote add origin git@github.com:OWNER/NAME.git',
  ),
  'head-not-pushed': state('The branch is not at the remote as it is here.', 'Push it with git push.'),
  'github-token-missing': usage('There is no token for GitHub.', 'Set GITHUB_TOKEN or GH_TOKEN.'),
  'github-token-refused': {
    ...usage('GitHub does not take the token.', 'Set GITHUB_TOKEN or GH_TOKEN to one that is valid.'),
    http: 401,
    grpc: 16,
    jsonrpc: -32007,
  },
  'github-refused': usage('GitHub has refused the request.', 'Correct what GitHub names.'),
  'github-rate-limited': temporary('GitHub limits the rate of requests.', 'Try again when the limit ends.'),
  'github-unreachable': temporary(
    'GitHub does not answer.',
    'Try again; https://www.githubstatus.com tells how it is.',
  ),
  'hosts-lost': temporary(
    'No host is there that could go on with the work.',
    'Start one: codetether worker, or codetether up. See codetether hosts.',
  ),
  'lease-lost': internal(
    'The work was given to another host meanwhile.',
    'Nothing; it goes on there, and nothing of this one is kept.',
  ),
  'worker-lost': {
    ...temporary('The worker that ran this was lost.', 'Nothing; the work goes on by itself.'),
    exit: 1,
  },
  'outcome-unknown': internal(
    'Something that may not happen twice was begun before, and how it ended is not known.',
    'Nothing; what it worked on is put back, and the work goes on by itself.',
  ),
  'budget-exceeded': {
    retryable: false,
    exit: 5,
    http: 402,
    grpc: 8,
    jsonrpc: -32005,
    summary: 'A budget of the run is used up.',
    next: 'Start it again with a larger cap.',
  },
  internal: internal('Something broke that should not.', 'codetether logs; report it with the last lines.'),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorCatalogue;

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface CodetetherErrorOptions {
  /** What exactly is wrong, one line per problem: place, then what was found and what was expected. */
  readonly problems?: readonly string[];
  /** Overrides the catalogue's "what to do next". */
  readonly next?: string;
  readonly details?: { readonly [key: string]: Json };
  readonly cause?: unknown;
}

/**
 * The one exception type of the project. `code` is what callers branch on; the message is for people
 * and may change. Serialise it with {@link toProblem}.
 */
export class CodetetherError extends Error {
  override readonly name = 'CodetetherError';
  readonly code: ErrorCode;
  readonly problems: readonly string[];
  readonly next: string;
  readonly details: { readonly [key: string]: Json };

  constructor(code: ErrorCode, message?: string, options: CodetetherErrorOptions = {}) {
    super(message ?? errorCatalogue[code].summary, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.problems = options.problems ?? [];
    this.next = options.next ?? errorCatalogue[code].next;
    this.details = options.details ?? {};
  }

  get entry(): ErrorEntry {
    return errorCatalogue[this.code];
  }
}

/** An error as it crosses a process boundary (HTTP body, NDJSON, failure details). RFC 9457 shaped. */
export interface Problem {
  readonly code: ErrorCode;
  readonly title: string;
  readonly status: number;
  readonly problems: readonly string[];
  readonly next: string;
  readonly details: { readonly [key: string]: Json };
}

/** Never throws; anything that is not a CodetetherError becomes `internal` with its message. */
export function toProblem(error: unknown): Problem {
  const known = asCodetetherError(error);
  return {
    code: known.code,
    title: known.message,
    status: known.entry.http,
    problems: known.problems,
    next: known.next,
    details: known.details,
  };
}

export function fromProblem(problem: Problem): CodetetherError {
  const code = isErrorCode(problem.code) ? problem.code : 'internal';
  return new CodetetherError(code, problem.title, {
    problems: problem.problems,
    next: problem.next,
    details: problem.details,
  });
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCatalogue, code);
}

/** Recognises by `code`, not by class: class identity is lost across bundles and activities. */
export function asCodetetherError(error: unknown): CodetetherError {
  if (error instanceof CodetetherError) return error;
  if (error instanceof Error) return new CodetetherError('internal', error.message, { cause: error });
  return new CodetetherError('internal', String(error));
}
