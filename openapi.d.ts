// Made from /openapi.json by test/integration/openapi.test.ts (vitest -u); not to be edited.

export interface paths {
  '/openapi.json': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** This document */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': unknown;
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/metrics': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** What this process has counted, for Prometheus */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'text/plain': string;
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/health': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Whether the process serves */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            status: "ok";
            version: string;
            apiVersion: 1;
            pid: number;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/ready': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Whether database, engine and a worker answer */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            ready: boolean;
            database: boolean;
            engine: boolean;
            worker: boolean;
          };
        } };
        503: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            ready: boolean;
            database: boolean;
            engine: boolean;
            worker: boolean;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/hosts': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Hosts and whether they are alive */
    get: {
      parameters: {
        query?: {
          limit?: number;
          cursor?: string;
        };
        header?: {
          'If-None-Match'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            hosts: ({
              hostId: string;
              name: string;
              pid: number;
              version: string;
              slots: number;
              slotsUsed: number;
              leases: number;
              seenAt: string;
              alive: boolean;
            })[];
            nextCursor: string | null;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/cleanup': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** What runs that are over have left on hosts */
    get: {
      parameters: {
        query?: {
          what?: "worktrees" | "artifacts";
        };
        header?: {
          'If-None-Match'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            entries: ({
              hostId: string;
              runId: string | null;
              path: string | null;
              branch: string | null;
              state: "left-over" | "removed" | "failed" | "kept" | "unknown";
              error?: string;
            })[];
            more: number;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    /** Remove what runs that are over have left on hosts */
    post: {
      parameters: {
        query?: {
          what?: "worktrees" | "artifacts";
        };
        header?: {
          'Idempotency-Key'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            entries: ({
              hostId: string;
              runId: string | null;
              path: string | null;
              branch: string | null;
              state: "left-over" | "removed" | "failed" | "kept" | "unknown";
              error?: string;
            })[];
            more: number;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/runs': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Runs, newest start first */
    get: {
      parameters: {
        query?: {
          limit?: number;
          cursor?: string;
        };
        header?: {
          'If-None-Match'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            runs: ({
              runId: string;
              kind: "ralph";
              status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
              project: string;
              feature: string;
              repoPath: string;
              prdPath: string;
              branch: string;
              base: string | null;
              tip: string | null;
              hostId: string;
              remote: string | null;
              model: string;
              execution: number;
              passed: number;
              total: number;
              maxCostUsd: number | null;
              maxTokens: number | null;
              maxTotalSteps: number | null;
              maxTimeMs: number | null;
              spentUsd: number;
              spentTokens: number;
              reservedUsd: number;
              reservedTokens: number;
              steps: number;
              leftUsd: number | null;
              leftTokens: number | null;
              leftSteps: number | null;
              message: string;
              createdAt: string;
              startedAt: string;
              endedAt: string | null;
              headSeq: number;
              uiUrl: string | null;
              flakyGates: (string)[];
              redGates: (string)[];
            })[];
            nextCursor: string | null;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    /** Start a run, or attach to it */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          kind: "ralph";
          prdPath: string;
          repoPath?: string;
          model: string;
          fallbackModel?: string;
          branch?: string;
          maxIterations?: number;
          maxAttempts?: number;
          maxSteps?: number;
          maxConcurrent?: number;
          maxCostUsd?: number;
          maxTokens?: number;
          maxTotalSteps?: number;
          maxTimeMs?: number;
          maxDiskBytes?: number;
          onAsk?: "wait" | "deny" | "approve-safe";
          askAtPercent?: number;
          askPlan?: boolean;
          askMerge?: boolean;
          askTimeoutMs?: number;
          remote?: string;
          allowUnchecked?: boolean;
          allowDirty?: boolean;
          dryRun?: boolean;
        };
      } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            kind: "started" | "attached" | "planned";
            run: {
              runId: string;
              kind: "ralph";
              status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
              project: string;
              feature: string;
              repoPath: string;
              prdPath: string;
              branch: string;
              base: string | null;
              tip: string | null;
              hostId: string;
              remote: string | null;
              model: string;
              execution: number;
              passed: number;
              total: number;
              maxCostUsd: number | null;
              maxTokens: number | null;
              maxTotalSteps: number | null;
              maxTimeMs: number | null;
              spentUsd: number;
              spentTokens: number;
              reservedUsd: number;
              reservedTokens: number;
              steps: number;
              leftUsd: number | null;
              leftTokens: number | null;
              leftSteps: number | null;
              message: string;
              createdAt: string;
              startedAt: string;
              endedAt: string | null;
              headSeq: number;
              uiUrl: string | null;
              flakyGates: (string)[];
              redGates: (string)[];
            };
            afterSeq: number;
            warnings: (string)[];
            plan: ({
              storyId: string;
              title: string;
              stage: number;
            })[];
          };
        } };
        201: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            kind: "started" | "attached" | "planned";
            run: {
              runId: string;
              kind: "ralph";
              status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
              project: string;
              feature: string;
              repoPath: string;
              prdPath: string;
              branch: string;
              base: string | null;
              tip: string | null;
              hostId: string;
              remote: string | null;
              model: string;
              execution: number;
              passed: number;
              total: number;
              maxCostUsd: number | null;
              maxTokens: number | null;
              maxTotalSteps: number | null;
              maxTimeMs: number | null;
              spentUsd: number;
              spentTokens: number;
              reservedUsd: number;
              reservedTokens: number;
              steps: number;
              leftUsd: number | null;
              leftTokens: number | null;
              leftSteps: number | null;
              message: string;
              createdAt: string;
              startedAt: string;
              endedAt: string | null;
              headSeq: number;
              uiUrl: string | null;
              flakyGates: (string)[];
              redGates: (string)[];
            };
            afterSeq: number;
            warnings: (string)[];
            plan: ({
              storyId: string;
              title: string;
              stage: number;
            })[];
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/runs/{runId}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One run with its stories */
    get: {
      parameters: {
        query?: never;
        header?: {
          'If-None-Match'?: string;
        };
        path: {
          runId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            runId: string;
            kind: "ralph";
            status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
            project: string;
            feature: string;
            repoPath: string;
            prdPath: string;
            branch: string;
            base: string | null;
            tip: string | null;
            hostId: string;
            remote: string | null;
            model: string;
            execution: number;
            passed: number;
            total: number;
            maxCostUsd: number | null;
            maxTokens: number | null;
            maxTotalSteps: number | null;
            maxTimeMs: number | null;
            spentUsd: number;
            spentTokens: number;
            reservedUsd: number;
            reservedTokens: number;
            steps: number;
            leftUsd: number | null;
            leftTokens: number | null;
            leftSteps: number | null;
            message: string;
            createdAt: string;
            startedAt: string;
            endedAt: string | null;
            headSeq: number;
            uiUrl: string | null;
            flakyGates: (string)[];
            redGates: (string)[];
            stories: ({
              storyId: string;
              title: string;
              status: "open" | "running" | "passed" | "failed" | "blocked";
              priority: number;
              dependsOn: (string)[];
              attempts: number;
              commit: string | null;
              problem: string | null;
              usage: {
                inputTokens: number;
                outputTokens: number;
                cachedInputTokens: number;
                costUsd: number;
              };
              durationMs: number;
            })[];
            approvals: ({
              id: string;
              runId: string;
              storyId: string;
              kind: "tool-risk" | "quota" | "budget-line" | "merge" | "plan" | "question";
              question: string;
              choices: (string)[];
              defaultChoice: string;
              expiresAt: string;
              state: "pending" | "answered" | "expired";
              answer: string | null;
              answeredBy: string | null;
              note: string;
              createdAt: string;
            })[];
            waits: ({
              agent?: string;
              step: number;
              provider: string;
              reason: "rate-limit" | "overloaded" | "unreachable" | "silent" | "timeout" | "not-configured";
              message: string;
              until: string;
              refusals: number;
              mayHaveCost: boolean;
              nextModel: string | null;
              storyId: string;
            })[];
            disk: {
              bytes: number;
              maxBytes: number;
            } | null;
            spending: ({
              inputTokens: number;
              outputTokens: number;
              cachedInputTokens: number;
              costUsd: number;
              storyId: string;
              model: string;
              calls: number;
              reservedUsd: number;
              reservedTokens: number;
              price: {
                inputUsd: number;
                cachedInputUsd: number;
                cacheWriteUsd: number;
                outputUsd: number;
                source: "table" | "file" | "default" | "script";
                longInput?: {
                  inputUsd: number;
                  cachedInputUsd: number;
                  cacheWriteUsd: number;
                  outputUsd: number;
                  aboveTokens: number;
                };
              } | null;
            })[];
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/runs/{runId}/prd': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** The PRD of a run, as it is worked on */
    get: {
      parameters: {
        query?: never;
        header?: {
          'If-None-Match'?: string;
        };
        path: {
          runId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            runId: string;
            prd: {
              project: string;
              feature: string;
              branchName: string;
              version: string;
              description: string;
              technicalRequirements: (string)[];
              qualityChecks: { [key: string]: string };
              stories: ({
                id: string;
                title: string;
                description: string;
                acceptanceCriteria: (string)[];
                verificationSteps: ({
                  type: "shell";
                  name?: string;
                  command: string;
                  cwd?: string;
                  expectOutputContains: (string)[];
                  expectFilesGlob: (string)[];
                } | {
                  type: "file_exists";
                  name?: string;
                  path: string;
                  glob: boolean;
                } | {
                  type: "url";
                  name?: string;
                  url: string;
                  method: string;
                  expectStatus: number;
                  expectBodyContains: (string)[];
                  timeoutSecs: number;
                })[];
                passes: boolean;
                priority: number;
                dependsOn: (string)[];
                complexity: number;
                allowedChanges: (string)[];
                noChangeOk: boolean;
              })[];
            };
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/runs/{runId}/story/{storyId}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One story with its attempts and checks */
    get: {
      parameters: {
        query?: never;
        header?: {
          'If-None-Match'?: string;
        };
        path: {
          runId: string;
          storyId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            storyId: string;
            title: string;
            status: "open" | "running" | "passed" | "failed" | "blocked";
            priority: number;
            dependsOn: (string)[];
            attempts: number;
            commit: string | null;
            problem: string | null;
            usage: {
              inputTokens: number;
              outputTokens: number;
              cachedInputTokens: number;
              costUsd: number;
            };
            durationMs: number;
            runId: string;
            attempted: ({
              attempt: number;
              outcome: "passed" | "failed" | "unfinished";
              reason: "gate-failed" | "verification-failed" | "nothing-changed" | "max-steps" | "looping" | "conflict" | "conflict-markers" | "merged-gate-failed" | "model-failed" | "tool-failed" | "tampered" | "merge-denied" | "disk-quota" | null;
              message: string;
              startedAt: string;
              endedAt: string | null;
              durationMs: number | null;
              filesChanged: number | null;
            })[];
            checks: ({
              attempt: number | null;
              where: "baseline" | "workspace" | "merged";
              name: string;
              command: string;
              tree: string;
              commit: string | null;
              ok: boolean;
              verdict: "ok" | "red" | "flaky" | "red-as-before";
              exitCode: number | null;
              durationMs: number;
              summary: string;
              output: string | null;
              log: string;
              at: string;
            })[];
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/runs/{runId}/story/{storyId}/logs/{hash}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** All that a check of a story wrote */
    get: {
      parameters: {
        query?: never;
        header?: {
          'If-None-Match'?: string;
        };
        path: {
          runId: string;
          storyId: string;
          hash: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            log: string;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/runs/{runId}/resume': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Let a run go on, with other caps if given */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          runId: string;
        };
        cookie?: never;
      };
      requestBody?: { content: {
        'application/json': {
          maxCostUsd?: number;
          maxTokens?: number;
          maxTotalSteps?: number;
          maxTimeMs?: number;
        } | null;
      } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            run: {
              runId: string;
              kind: "ralph";
              status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
              project: string;
              feature: string;
              repoPath: string;
              prdPath: string;
              branch: string;
              base: string | null;
              tip: string | null;
              hostId: string;
              remote: string | null;
              model: string;
              execution: number;
              passed: number;
              total: number;
              maxCostUsd: number | null;
              maxTokens: number | null;
              maxTotalSteps: number | null;
              maxTimeMs: number | null;
              spentUsd: number;
              spentTokens: number;
              reservedUsd: number;
              reservedTokens: number;
              steps: number;
              leftUsd: number | null;
              leftTokens: number | null;
              leftSteps: number | null;
              message: string;
              createdAt: string;
              startedAt: string;
              endedAt: string | null;
              headSeq: number;
              uiUrl: string | null;
              flakyGates: (string)[];
              redGates: (string)[];
            };
            started: boolean;
            warnings: (string)[];
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/runs/{runId}/pause': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Let a run begin nothing new */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          runId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            run: {
              runId: string;
              kind: "ralph";
              status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
              project: string;
              feature: string;
              repoPath: string;
              prdPath: string;
              branch: string;
              base: string | null;
              tip: string | null;
              hostId: string;
              remote: string | null;
              model: string;
              execution: number;
              passed: number;
              total: number;
              maxCostUsd: number | null;
              maxTokens: number | null;
              maxTotalSteps: number | null;
              maxTimeMs: number | null;
              spentUsd: number;
              spentTokens: number;
              reservedUsd: number;
              reservedTokens: number;
              steps: number;
              leftUsd: number | null;
              leftTokens: number | null;
              leftSteps: number | null;
              message: string;
              createdAt: string;
              startedAt: string;
              endedAt: string | null;
              headSeq: number;
              uiUrl: string | null;
              flakyGates: (string)[];
              redGates: (string)[];
            };
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/runs/{runId}/stop': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** End a run when its running stories have ended */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          runId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            run: {
              runId: string;
              kind: "ralph";
              status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
              project: string;
              feature: string;
              repoPath: string;
              prdPath: string;
              branch: string;
              base: string | null;
              tip: string | null;
              hostId: string;
              remote: string | null;
              model: string;
              execution: number;
              passed: number;
              total: number;
              maxCostUsd: number | null;
              maxTokens: number | null;
              maxTotalSteps: number | null;
              maxTimeMs: number | null;
              spentUsd: number;
              spentTokens: number;
              reservedUsd: number;
              reservedTokens: number;
              steps: number;
              leftUsd: number | null;
              leftTokens: number | null;
              leftSteps: number | null;
              message: string;
              createdAt: string;
              startedAt: string;
              endedAt: string | null;
              headSeq: number;
              uiUrl: string | null;
              flakyGates: (string)[];
              redGates: (string)[];
            };
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/runs/{runId}/cancel': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** End a run at once */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          runId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            run: {
              runId: string;
              kind: "ralph";
              status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
              project: string;
              feature: string;
              repoPath: string;
              prdPath: string;
              branch: string;
              base: string | null;
              tip: string | null;
              hostId: string;
              remote: string | null;
              model: string;
              execution: number;
              passed: number;
              total: number;
              maxCostUsd: number | null;
              maxTokens: number | null;
              maxTotalSteps: number | null;
              maxTimeMs: number | null;
              spentUsd: number;
              spentTokens: number;
              reservedUsd: number;
              reservedTokens: number;
              steps: number;
              leftUsd: number | null;
              leftTokens: number | null;
              leftSteps: number | null;
              message: string;
              createdAt: string;
              startedAt: string;
              endedAt: string | null;
              headSeq: number;
              uiUrl: string | null;
              flakyGates: (string)[];
              redGates: (string)[];
            };
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/approvals': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** What people are asked now, oldest first */
    get: {
      parameters: {
        query?: {
          limit?: number;
          cursor?: string;
        };
        header?: {
          'If-None-Match'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            approvals: ({
              id: string;
              runId: string;
              storyId: string;
              kind: "tool-risk" | "quota" | "budget-line" | "merge" | "plan" | "question";
              question: string;
              choices: (string)[];
              defaultChoice: string;
              expiresAt: string;
              state: "pending" | "answered" | "expired";
              answer: string | null;
              answeredBy: string | null;
              note: string;
              createdAt: string;
            })[];
            nextCursor: string | null;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/approvals/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Answer what is asked */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          choice: string;
          note?: string;
        };
      } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            id: string;
            runId: string;
            storyId: string;
            kind: "tool-risk" | "quota" | "budget-line" | "merge" | "plan" | "question";
            question: string;
            choices: (string)[];
            defaultChoice: string;
            expiresAt: string;
            state: "pending" | "answered" | "expired";
            answer: string | null;
            answeredBy: string | null;
            note: string;
            createdAt: string;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/runs/{runId}/story/{storyId}/nudge': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Tell a story's agent something */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          runId: string;
          storyId: string;
        };
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          text: string;
        };
      } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            run: {
              runId: string;
              kind: "ralph";
              status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
              project: string;
              feature: string;
              repoPath: string;
              prdPath: string;
              branch: string;
              base: string | null;
              tip: string | null;
              hostId: string;
              remote: string | null;
              model: string;
              execution: number;
              passed: number;
              total: number;
              maxCostUsd: number | null;
              maxTokens: number | null;
              maxTotalSteps: number | null;
              maxTimeMs: number | null;
              spentUsd: number;
              spentTokens: number;
              reservedUsd: number;
              reservedTokens: number;
              steps: number;
              leftUsd: number | null;
              leftTokens: number | null;
              leftSteps: number | null;
              message: string;
              createdAt: string;
              startedAt: string;
              endedAt: string | null;
              headSeq: number;
              uiUrl: string | null;
              flakyGates: (string)[];
              redGates: (string)[];
            };
            started: boolean;
            warnings: (string)[];
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/runs/{runId}/story/{storyId}/retry': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Open a failed story again, with a hint */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          runId: string;
          storyId: string;
        };
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          text: string;
        };
      } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            run: {
              runId: string;
              kind: "ralph";
              status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
              project: string;
              feature: string;
              repoPath: string;
              prdPath: string;
              branch: string;
              base: string | null;
              tip: string | null;
              hostId: string;
              remote: string | null;
              model: string;
              execution: number;
              passed: number;
              total: number;
              maxCostUsd: number | null;
              maxTokens: number | null;
              maxTotalSteps: number | null;
              maxTimeMs: number | null;
              spentUsd: number;
              spentTokens: number;
              reservedUsd: number;
              reservedTokens: number;
              steps: number;
              leftUsd: number | null;
              leftTokens: number | null;
              leftSteps: number | null;
              message: string;
              createdAt: string;
              startedAt: string;
              endedAt: string | null;
              headSeq: number;
              uiUrl: string | null;
              flakyGates: (string)[];
              redGates: (string)[];
            };
            started: boolean;
            warnings: (string)[];
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/runs/{runId}/story/{storyId}/rollback': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Take a story that has passed off the run branch */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          runId: string;
          storyId: string;
        };
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          cascade?: boolean;
        };
      } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            run: {
              runId: string;
              kind: "ralph";
              status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
              project: string;
              feature: string;
              repoPath: string;
              prdPath: string;
              branch: string;
              base: string | null;
              tip: string | null;
              hostId: string;
              remote: string | null;
              model: string;
              execution: number;
              passed: number;
              total: number;
              maxCostUsd: number | null;
              maxTokens: number | null;
              maxTotalSteps: number | null;
              maxTimeMs: number | null;
              spentUsd: number;
              spentTokens: number;
              reservedUsd: number;
              reservedTokens: number;
              steps: number;
              leftUsd: number | null;
              leftTokens: number | null;
              leftSteps: number | null;
              message: string;
              createdAt: string;
              startedAt: string;
              endedAt: string | null;
              headSeq: number;
              uiUrl: string | null;
              flakyGates: (string)[];
              redGates: (string)[];
            };
            storyIds: (string)[];
            afterSeq: number;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/sessions': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Sessions, the one that was used last first */
    get: {
      parameters: {
        query?: {
          limit?: number;
          cursor?: string;
          folder?: string;
        };
        header?: {
          'If-None-Match'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            sessions: ({
              sessionId: string;
              status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
              folder: string;
              hostId: string;
              title: string;
              model: string;
              agent: string;
              parent: {
                sessionId: string;
                seq: number;
              } | null;
              turns: number;
              usage: {
                inputTokens: number;
                outputTokens: number;
                cachedInputTokens: number;
                costUsd: number;
              };
              maxCostUsd: number | null;
              maxTokens: number | null;
              maxTotalSteps: number | null;
              spentUsd: number;
              spentTokens: number;
              reservedUsd: number;
              message: string;
              createdAt: string;
              usedAt: string;
              headSeq: number;
              uiUrl: string | null;
            })[];
            nextCursor: string | null;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    /** A new session with its first message */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          text: string;
          messageId?: string;
          agent?: string;
          model?: string;
          fallbackModel?: string;
          maxSteps?: number;
          maxTimeMs?: number;
          maxCostUsd?: number;
          maxTokens?: number;
          maxTotalSteps?: number;
          onAsk?: "wait" | "deny" | "approve-safe";
          askTimeoutMs?: number;
          outputSchema?: { [key: string]: unknown };
          folder: string;
          defaultModel?: string;
        };
      } };
      responses: {
        201: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            session: {
              sessionId: string;
              status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
              folder: string;
              hostId: string;
              title: string;
              model: string;
              agent: string;
              parent: {
                sessionId: string;
                seq: number;
              } | null;
              turns: number;
              usage: {
                inputTokens: number;
                outputTokens: number;
                cachedInputTokens: number;
                costUsd: number;
              };
              maxCostUsd: number | null;
              maxTokens: number | null;
              maxTotalSteps: number | null;
              spentUsd: number;
              spentTokens: number;
              reservedUsd: number;
              message: string;
              createdAt: string;
              usedAt: string;
              headSeq: number;
              uiUrl: string | null;
            };
            messageId: string;
            afterSeq: number;
            ahead: number;
            warnings: (string)[];
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/sessions/{sessionId}/messages': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** A further message to a session */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          sessionId: string;
        };
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          text: string;
          messageId?: string;
          agent?: string;
          model?: string;
          fallbackModel?: string;
          maxSteps?: number;
          maxTimeMs?: number;
          maxCostUsd?: number;
          maxTokens?: number;
          maxTotalSteps?: number;
          onAsk?: "wait" | "deny" | "approve-safe";
          askTimeoutMs?: number;
          outputSchema?: { [key: string]: unknown };
        };
      } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            session: {
              sessionId: string;
              status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
              folder: string;
              hostId: string;
              title: string;
              model: string;
              agent: string;
              parent: {
                sessionId: string;
                seq: number;
              } | null;
              turns: number;
              usage: {
                inputTokens: number;
                outputTokens: number;
                cachedInputTokens: number;
                costUsd: number;
              };
              maxCostUsd: number | null;
              maxTokens: number | null;
              maxTotalSteps: number | null;
              spentUsd: number;
              spentTokens: number;
              reservedUsd: number;
              message: string;
              createdAt: string;
              usedAt: string;
              headSeq: number;
              uiUrl: string | null;
            };
            messageId: string;
            afterSeq: number;
            ahead: number;
            warnings: (string)[];
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/sessions/{sessionId}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One session */
    get: {
      parameters: {
        query?: never;
        header?: {
          'If-None-Match'?: string;
        };
        path: {
          sessionId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            sessionId: string;
            status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
            folder: string;
            hostId: string;
            title: string;
            model: string;
            agent: string;
            parent: {
              sessionId: string;
              seq: number;
            } | null;
            turns: number;
            usage: {
              inputTokens: number;
              outputTokens: number;
              cachedInputTokens: number;
              costUsd: number;
            };
            maxCostUsd: number | null;
            maxTokens: number | null;
            maxTotalSteps: number | null;
            spentUsd: number;
            spentTokens: number;
            reservedUsd: number;
            message: string;
            createdAt: string;
            usedAt: string;
            headSeq: number;
            uiUrl: string | null;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    /** List a session no more */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          sessionId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            sessionId: string;
            status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
            folder: string;
            hostId: string;
            title: string;
            model: string;
            agent: string;
            parent: {
              sessionId: string;
              seq: number;
            } | null;
            turns: number;
            usage: {
              inputTokens: number;
              outputTokens: number;
              cachedInputTokens: number;
              costUsd: number;
            };
            maxCostUsd: number | null;
            maxTokens: number | null;
            maxTotalSteps: number | null;
            spentUsd: number;
            spentTokens: number;
            reservedUsd: number;
            message: string;
            createdAt: string;
            usedAt: string;
            headSeq: number;
            uiUrl: string | null;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    options?: never;
    head?: never;
    /** Give a session another title */
    patch: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          sessionId: string;
        };
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          title: string;
        };
      } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            sessionId: string;
            status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
            folder: string;
            hostId: string;
            title: string;
            model: string;
            agent: string;
            parent: {
              sessionId: string;
              seq: number;
            } | null;
            turns: number;
            usage: {
              inputTokens: number;
              outputTokens: number;
              cachedInputTokens: number;
              costUsd: number;
            };
            maxCostUsd: number | null;
            maxTokens: number | null;
            maxTotalSteps: number | null;
            spentUsd: number;
            spentTokens: number;
            reservedUsd: number;
            message: string;
            createdAt: string;
            usedAt: string;
            headSeq: number;
            uiUrl: string | null;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    trace?: never;
  };
  '/v1/sessions/{sessionId}/transcript': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** All that was said and done in a session */
    get: {
      parameters: {
        query?: {
          agent?: string;
        };
        header?: {
          'If-None-Match'?: string;
        };
        path: {
          sessionId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            rows: ({
              seq: number;
              kind: string;
              body: unknown;
            })[];
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/sessions/{sessionId}/undo': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Let the last turns not count any more */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          sessionId: string;
        };
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          turns?: number;
        };
      } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            sessionId: string;
            status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
            folder: string;
            hostId: string;
            title: string;
            model: string;
            agent: string;
            parent: {
              sessionId: string;
              seq: number;
            } | null;
            turns: number;
            usage: {
              inputTokens: number;
              outputTokens: number;
              cachedInputTokens: number;
              costUsd: number;
            };
            maxCostUsd: number | null;
            maxTokens: number | null;
            maxTotalSteps: number | null;
            spentUsd: number;
            spentTokens: number;
            reservedUsd: number;
            message: string;
            createdAt: string;
            usedAt: string;
            headSeq: number;
            uiUrl: string | null;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/sessions/{sessionId}/redo': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Take the last undo back */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          sessionId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            sessionId: string;
            status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
            folder: string;
            hostId: string;
            title: string;
            model: string;
            agent: string;
            parent: {
              sessionId: string;
              seq: number;
            } | null;
            turns: number;
            usage: {
              inputTokens: number;
              outputTokens: number;
              cachedInputTokens: number;
              costUsd: number;
            };
            maxCostUsd: number | null;
            maxTokens: number | null;
            maxTotalSteps: number | null;
            spentUsd: number;
            spentTokens: number;
            reservedUsd: number;
            message: string;
            createdAt: string;
            usedAt: string;
            headSeq: number;
            uiUrl: string | null;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/sessions/{sessionId}/fork': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** A further session with what was said */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          sessionId: string;
        };
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          dropTurns?: number;
          title?: string;
        };
      } };
      responses: {
        201: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            sessionId: string;
            status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
            folder: string;
            hostId: string;
            title: string;
            model: string;
            agent: string;
            parent: {
              sessionId: string;
              seq: number;
            } | null;
            turns: number;
            usage: {
              inputTokens: number;
              outputTokens: number;
              cachedInputTokens: number;
              costUsd: number;
            };
            maxCostUsd: number | null;
            maxTokens: number | null;
            maxTotalSteps: number | null;
            spentUsd: number;
            spentTokens: number;
            reservedUsd: number;
            message: string;
            createdAt: string;
            usedAt: string;
            headSeq: number;
            uiUrl: string | null;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/sessions/{sessionId}/interrupt': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** End the turn under way */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          sessionId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            sessionId: string;
            status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
            folder: string;
            hostId: string;
            title: string;
            model: string;
            agent: string;
            parent: {
              sessionId: string;
              seq: number;
            } | null;
            turns: number;
            usage: {
              inputTokens: number;
              outputTokens: number;
              cachedInputTokens: number;
              costUsd: number;
            };
            maxCostUsd: number | null;
            maxTokens: number | null;
            maxTotalSteps: number | null;
            spentUsd: number;
            spentTokens: number;
            reservedUsd: number;
            message: string;
            createdAt: string;
            usedAt: string;
            headSeq: number;
            uiUrl: string | null;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/sessions/{sessionId}/steer': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Tell the agent at work something before its next step */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          sessionId: string;
        };
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          text: string;
        };
      } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            sessionId: string;
            status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
            folder: string;
            hostId: string;
            title: string;
            model: string;
            agent: string;
            parent: {
              sessionId: string;
              seq: number;
            } | null;
            turns: number;
            usage: {
              inputTokens: number;
              outputTokens: number;
              cachedInputTokens: number;
              costUsd: number;
            };
            maxCostUsd: number | null;
            maxTokens: number | null;
            maxTotalSteps: number | null;
            spentUsd: number;
            spentTokens: number;
            reservedUsd: number;
            message: string;
            createdAt: string;
            usedAt: string;
            headSeq: number;
            uiUrl: string | null;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/dead-letters': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Push notifications that could not be delivered, newest first */
    get: {
      parameters: {
        query?: {
          limit?: number;
          cursor?: string;
        };
        header?: {
          'If-None-Match'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            deadLetters: ({
              deadLetterId: string;
              taskId: string;
              configId: string;
              receiver: string;
              seq: number;
              attempts: number;
              reason: string;
              status: number | null;
              at: string;
              disabled: boolean;
            })[];
            nextCursor: string | null;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/dead-letters/{deadLetterId}/replay': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Deliver it again, and what its receiver was not told since */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          deadLetterId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            deadLetterId: string;
            taskId: string;
            configId: string;
            receiver: string;
            seq: number;
            attempts: number;
            reason: string;
            status: number | null;
            at: string;
            disabled: boolean;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/tokens': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Tokens, newest first */
    get: {
      parameters: {
        query?: {
          limit?: number;
          cursor?: string;
        };
        header?: {
          'If-None-Match'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            tokens: ({
              tokenId: string;
              name: string;
              prefix: string;
              permissions: ("runs:read" | "runs:write" | "hosts:read" | "approvals:read" | "approvals:answer" | "models:use" | "workspaces:read" | "workspaces:write" | "files:read" | "audit:read" | "tokens:manage")[];
              createdBy: string;
              createdAt: string;
              expiresAt: string | null;
              lastUsedAt: string | null;
              revokedAt: string | null;
              status: "active" | "expired" | "revoked";
            })[];
            nextCursor: string | null;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    /** Make a token */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          name: string;
          role?: "viewer" | "operator" | "approver" | "admin";
          permissions?: ("runs:read" | "runs:write" | "hosts:read" | "approvals:read" | "approvals:answer" | "models:use" | "workspaces:read" | "workspaces:write" | "files:read" | "audit:read" | "tokens:manage")[];
          expiresInMs?: number | null;
        };
      } };
      responses: {
        201: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            tokenId: string;
            name: string;
            prefix: string;
            permissions: ("runs:read" | "runs:write" | "hosts:read" | "approvals:read" | "approvals:answer" | "models:use" | "workspaces:read" | "workspaces:write" | "files:read" | "audit:read" | "tokens:manage")[];
            createdBy: string;
            createdAt: string;
            expiresAt: string | null;
            lastUsedAt: string | null;
            revokedAt: string | null;
            status: "active" | "expired" | "revoked";
            token: string;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/tokens/{tokenId}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    post?: never;
    /** Revoke a token */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          tokenId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            tokenId: string;
            name: string;
            prefix: string;
            permissions: ("runs:read" | "runs:write" | "hosts:read" | "approvals:read" | "approvals:answer" | "models:use" | "workspaces:read" | "workspaces:write" | "files:read" | "audit:read" | "tokens:manage")[];
            createdBy: string;
            createdAt: string;
            expiresAt: string | null;
            lastUsedAt: string | null;
            revokedAt: string | null;
            status: "active" | "expired" | "revoked";
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/tokens/{tokenId}/rotate': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** A new token in the place of another */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          tokenId: string;
        };
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          overlapMs?: number;
        };
      } };
      responses: {
        201: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            tokenId: string;
            name: string;
            prefix: string;
            permissions: ("runs:read" | "runs:write" | "hosts:read" | "approvals:read" | "approvals:answer" | "models:use" | "workspaces:read" | "workspaces:write" | "files:read" | "audit:read" | "tokens:manage")[];
            createdBy: string;
            createdAt: string;
            expiresAt: string | null;
            lastUsedAt: string | null;
            revokedAt: string | null;
            status: "active" | "expired" | "revoked";
            token: string;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/audit': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** What was done and denied, newest first */
    get: {
      parameters: {
        query?: {
          limit?: number;
          cursor?: string;
        };
        header?: {
          'If-None-Match'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            entries: ({
              seq: number;
              at: string;
              principal: string;
              action: string;
              outcome: "done" | "denied";
              detail: { [key: string]: unknown };
              hash: string;
            })[];
            nextCursor: string | null;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/audit/check': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** The first audit entry that was changed */
    get: {
      parameters: {
        query?: never;
        header?: {
          'If-None-Match'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            broken: number | null;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/workspaces': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** The named folders, by name */
    get: {
      parameters: {
        query?: {
          limit?: number;
          cursor?: string;
        };
        header?: {
          'If-None-Match'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            workspaces: ({
              name: string;
              folder: string;
              hostId: string;
              createdBy: string;
              createdAt: string;
            })[];
            nextCursor: string | null;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    /** Name a folder for those who ask from elsewhere */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          name: string;
          folder: string;
        };
      } };
      responses: {
        201: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            name: string;
            folder: string;
            hostId: string;
            createdBy: string;
            createdAt: string;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/workspaces/{name}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    post?: never;
    /** Forget a named folder */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            name: string;
            folder: string;
            hostId: string;
            createdBy: string;
            createdAt: string;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/workspaces/{name}/files': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** The files of a workspace */
    get: {
      parameters: {
        query?: {
          path?: string;
        };
        header?: {
          'If-None-Match'?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            path: string;
            entries: ({
              name: string;
              kind: "file" | "folder" | "link" | "other";
            })[];
            more: number;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/workspaces/{name}/file': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** A text file of a workspace */
    get: {
      parameters: {
        query: {
          path: string;
          fromLine?: number;
          lines?: number;
        };
        header?: {
          'If-None-Match'?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            path: string;
            bytes: number;
            fromLine: number;
            text: string;
            next: number | null;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/workspaces/{name}/search': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Lines of a workspace that contain a text */
    get: {
      parameters: {
        query: {
          pattern: string;
          path?: string;
          regex?: "true" | "false";
          limit?: number;
        };
        header?: {
          'If-None-Match'?: string;
        };
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            matches: ({
              path: string;
              line: number;
              text: string;
            })[];
            limited: boolean;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/sessions/{sessionId}/context': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** What the next model call of a session is sent */
    get: {
      parameters: {
        query?: never;
        header?: {
          'If-None-Match'?: string;
        };
        path: {
          sessionId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            sessionId: string;
            model: string;
            policy: "off" | "incremental" | "reset" | "legacy";
            windowTokens: number | null;
            budgetTokens: number | null;
            tokens: number;
            fits: boolean;
            pinnedTokens: number;
            steps: number;
            turns: ({
              turn: number;
              fromSeq: number;
              toSeq: number;
              steps: number;
              tokens: number;
              pinnedSteps: number;
              text: string;
            })[];
            earlierTurns: number;
            leftOut: ({
              fromSeq: number;
              toSeq: number;
              steps: number;
              tokens: number;
              reason: "window" | "summarised" | "reset" | "cut";
            })[];
            summaryWanted: {
              fromSeq: number;
              toSeq: number;
            } | null;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/sessions/{sessionId}/context/turns/{turn}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** The rows of one turn */
    get: {
      parameters: {
        query?: never;
        header?: {
          'If-None-Match'?: string;
        };
        path: {
          sessionId: string;
          turn: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            turn: number;
            fromSeq: number;
            toSeq: number;
            steps: number;
            tokens: number;
            rows: ({
              seq: number;
              kind: string;
              body: unknown;
            })[];
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/sessions/{sessionId}/context/pin': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Send a turn or row always, or not any more */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          sessionId: string;
        };
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          turn?: number;
          row?: number;
          pinned: boolean;
        };
      } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            fromSeq: number;
            toSeq: number;
            pinnedTokens: number;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/sessions/{sessionId}/context/reset': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Send nothing of what was said before any more */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          sessionId: string;
        };
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          summary?: string;
        };
      } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            kind: "reset" | "summary-wanted";
            turns: number;
            steps: number;
            tokens: number;
            model: string;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/runs/{runId}/reload': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Let a run follow its PRD file as it is now */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          runId: string;
        };
        cookie?: never;
      };
      requestBody?: { content: {
        'application/json': {
          dryRun?: boolean;
          allowUnchecked?: boolean;
        } | null;
      } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            run: {
              runId: string;
              kind: "ralph";
              status: "starting" | "running" | "paused" | "stopping" | "completed" | "quality-failed" | "max-iterations" | "budget-exceeded" | "stopped" | "cancelled" | "error";
              project: string;
              feature: string;
              repoPath: string;
              prdPath: string;
              branch: string;
              base: string | null;
              tip: string | null;
              hostId: string;
              remote: string | null;
              model: string;
              execution: number;
              passed: number;
              total: number;
              maxCostUsd: number | null;
              maxTokens: number | null;
              maxTotalSteps: number | null;
              maxTimeMs: number | null;
              spentUsd: number;
              spentTokens: number;
              reservedUsd: number;
              reservedTokens: number;
              steps: number;
              leftUsd: number | null;
              leftTokens: number | null;
              leftSteps: number | null;
              message: string;
              createdAt: string;
              startedAt: string;
              endedAt: string | null;
              headSeq: number;
              uiUrl: string | null;
              flakyGates: (string)[];
              redGates: (string)[];
            };
            applied: boolean;
            changes: {
              added: ({
                storyId: string;
                title: string;
                dependsOn: (string)[];
              })[];
              changed: ({
                storyId: string;
                title: string;
                dependsOn: (string)[];
              })[];
              removed: (string)[];
              passed: (string)[];
              reopened: (string)[];
              changedGates: (string)[];
              removedGates: (string)[];
              texts: boolean;
              gates: (string)[];
              stopped: (string)[];
            };
            warnings: (string)[];
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/stats': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** What models, tools and files came to */
    get: {
      parameters: {
        query?: {
          folder?: string | (string)[];
          since?: string;
          tool?: string;
          file?: string;
          limit?: number;
        };
        header?: {
          'If-None-Match'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            runs: number;
            sessions: number;
            requests: number;
            usage: {
              inputTokens: number;
              outputTokens: number;
              cachedInputTokens: number;
              costUsd: number;
            };
            models: ({
              inputTokens: number;
              outputTokens: number;
              cachedInputTokens: number;
              costUsd: number;
              model: string;
              requests: number;
            })[];
            executions: number;
            failures: number;
            tools: ({
              tool: string;
              executions: number;
              failures: number;
              p50Ms: number;
              p95Ms: number;
              totalMs: number;
              lastAt: string;
            })[];
            recentExecutions: ({
              runId: string;
              seq: number;
              storyId: string | null;
              tool: string;
              label: string;
              ok: boolean;
              durationMs: number;
              files: (string)[];
              at: string;
            })[];
            recentChanges: ({
              runId: string;
              seq: number;
              storyId: string | null;
              tool: string;
              label: string;
              ok: boolean;
              durationMs: number;
              files: (string)[];
              at: string;
            })[];
            filesModified: number;
            files: ({
              folder: string;
              path: string;
              changes: number;
              tools: (string)[];
              lastAt: string;
              lastTool: string;
              lastRunId: string;
            })[];
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/usage': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** What models were used for and cost, by day */
    get: {
      parameters: {
        query?: {
          since?: string;
          until?: string;
        };
        header?: {
          'If-None-Match'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            since: string;
            until: string;
            total: {
              inputTokens: number;
              outputTokens: number;
              cachedInputTokens: number;
              costUsd: number;
              requests: number;
            };
            days: ({
              inputTokens: number;
              outputTokens: number;
              cachedInputTokens: number;
              costUsd: number;
              requests: number;
              day: string;
              model: string;
              kind: "ralph" | "session" | "chat";
            })[];
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/runs/{runId}/events': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** The event log of a run, then what comes */
    get: {
      parameters: {
        query?: {
          'since-seq'?: number;
        };
        header?: {
          'last-event-id'?: number;
        };
        path: {
          runId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'text/event-stream': string;
          'application/x-ndjson': string;
        } };
        204: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/ralph/runs/{runId}/stream': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** What happens to a run (as the platform tells it) */
    get: {
      parameters: {
        query?: {
          'since-seq'?: number;
        };
        header?: {
          'last-event-id'?: number;
        };
        path: {
          runId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'text/event-stream': string;
        } };
        204: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/sessions/{sessionId}/events': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** The event log of a session, then what comes */
    get: {
      parameters: {
        query?: {
          'since-seq'?: number;
        };
        header?: {
          'last-event-id'?: number;
        };
        path: {
          sessionId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'text/event-stream': string;
          'application/x-ndjson': string;
        } };
        204: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/ralph/runs': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Runs, newest start first (as the platform lists them) */
    get: {
      parameters: {
        query?: {
          status?: "pending" | "running" | "completed" | "failed" | "cancelled";
          limit?: number;
        };
        header?: {
          'If-None-Match'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': ({
            id: string;
            prd: {
              project: string;
              branchName: string;
              description: string;
              userStories: ({
                id: string;
                title: string;
                description: string;
                acceptanceCriteria: (string)[];
                priority: number;
              })[];
            };
            codebase_id: string | null;
            model: string;
            status: "pending" | "running" | "completed" | "failed" | "cancelled";
            max_iterations: number;
            current_iteration: number;
            run_mode: "sequential" | "parallel";
            max_parallel: number;
            story_results: ({
              story_id: string;
              status: "pending" | "running" | "passed" | "failed" | "skipped";
              task_id: null;
              iteration: number;
              result: string | null;
              error: string | null;
              started_at: string | null;
              completed_at: string | null;
            })[];
            logs: ({
              id: number;
              timestamp: string;
              type: "info" | "story_start" | "story_pass" | "story_fail" | "error" | "complete";
              message: string;
              story_id: string | null;
            })[];
            created_at: string;
            started_at: string;
            completed_at: string | null;
            error: string | null;
          })[];
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    /** Start a run of a PRD (as the platform does) */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          prd: {
            project: string;
            branchName: string;
            description: string;
            userStories: ({
              id: string;
              title: string;
              description: string;
              acceptanceCriteria?: (string)[];
              priority?: number;
            } & { [key: string]: unknown })[];
          } & { [key: string]: unknown };
          codebase_id?: string | null;
          model?: string | null;
          max_iterations?: number;
          run_mode?: "sequential" | "parallel";
          max_parallel?: number;
          allow_unchecked?: boolean;
        };
      } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            id: string;
            prd: {
              project: string;
              branchName: string;
              description: string;
              userStories: ({
                id: string;
                title: string;
                description: string;
                acceptanceCriteria: (string)[];
                priority: number;
              })[];
            };
            codebase_id: string | null;
            model: string;
            status: "pending" | "running" | "completed" | "failed" | "cancelled";
            max_iterations: number;
            current_iteration: number;
            run_mode: "sequential" | "parallel";
            max_parallel: number;
            story_results: ({
              story_id: string;
              status: "pending" | "running" | "passed" | "failed" | "skipped";
              task_id: null;
              iteration: number;
              result: string | null;
              error: string | null;
              started_at: string | null;
              completed_at: string | null;
            })[];
            logs: ({
              id: number;
              timestamp: string;
              type: "info" | "story_start" | "story_pass" | "story_fail" | "error" | "complete";
              message: string;
              story_id: string | null;
            })[];
            created_at: string;
            started_at: string;
            completed_at: string | null;
            error: string | null;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/ralph/runs/{runId}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One run (as the platform shows it) */
    get: {
      parameters: {
        query?: never;
        header?: {
          'If-None-Match'?: string;
        };
        path: {
          runId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            id: string;
            prd: {
              project: string;
              branchName: string;
              description: string;
              userStories: ({
                id: string;
                title: string;
                description: string;
                acceptanceCriteria: (string)[];
                priority: number;
              })[];
            };
            codebase_id: string | null;
            model: string;
            status: "pending" | "running" | "completed" | "failed" | "cancelled";
            max_iterations: number;
            current_iteration: number;
            run_mode: "sequential" | "parallel";
            max_parallel: number;
            story_results: ({
              story_id: string;
              status: "pending" | "running" | "passed" | "failed" | "skipped";
              task_id: null;
              iteration: number;
              result: string | null;
              error: string | null;
              started_at: string | null;
              completed_at: string | null;
            })[];
            logs: ({
              id: number;
              timestamp: string;
              type: "info" | "story_start" | "story_pass" | "story_fail" | "error" | "complete";
              message: string;
              story_id: string | null;
            })[];
            created_at: string;
            started_at: string;
            completed_at: string | null;
            error: string | null;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    /** End a run, and list it no more */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          runId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            status: "cancelled" | "running" | "deleted";
            run_id: string;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/ralph/runs/{runId}/logs': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** What was said of a run, oldest first */
    get: {
      parameters: {
        query?: {
          since?: string;
          limit?: number;
        };
        header?: {
          'If-None-Match'?: string;
        };
        path: {
          runId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': ({
            id: number;
            timestamp: string;
            type: "info" | "story_start" | "story_pass" | "story_fail" | "error" | "complete";
            message: string;
            story_id: string | null;
          })[];
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/ralph/runs/{runId}/cancel': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** End a run at once (as the platform does) */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          runId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            status: "cancelled" | "running" | "deleted";
            run_id: string;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/ralph/runs/{runId}/recover': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Let a run go on with what has not passed */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path: {
          runId: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            status: "cancelled" | "running" | "deleted";
            run_id: string;
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/models': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Models that can be asked */
    get: {
      parameters: {
        query?: never;
        header?: {
          'If-None-Match'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            object: "list";
            data: ({
              id: string;
              object: "model";
              created: number;
              owned_by: string;
            })[];
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/json': {
            error: {
              message: string;
              type: string;
              code: string | null;
              param: string | null;
            };
          };
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/json': {
            error: {
              message: string;
              type: string;
              code: string | null;
              param: string | null;
            };
          };
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/models/{model}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One model */
    get: {
      parameters: {
        query?: never;
        header?: {
          'If-None-Match'?: string;
        };
        path: {
          model: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'application/json': {
            id: string;
            object: "model";
            created: number;
            owned_by: string;
          };
        } };
        304: { headers: { [name: string]: unknown }; content?: never };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/json': {
            error: {
              message: string;
              type: string;
              code: string | null;
              param: string | null;
            };
          };
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/json': {
            error: {
              message: string;
              type: string;
              code: string | null;
              param: string | null;
            };
          };
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/chat/completions': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Ask a model */
    post: {
      parameters: {
        query?: never;
        header?: {
          'Idempotency-Key'?: string;
        };
        path?: never;
        cookie?: never;
      };
      requestBody: { content: {
        'application/json': {
          model: string;
          messages: ({
            role: "system" | "developer";
            content: string | ({
              type: "text";
              text: string;
            })[];
          } | {
            role: "user";
            content: string | ({
              type: "text";
              text: string;
            })[];
          } | {
            role: "assistant";
            content?: string | ({
              type: "text";
              text: string;
            })[] | null;
            tool_calls?: ({
              id: string;
              type: "function";
              function: {
                name: string;
                arguments: string;
              };
            })[] | null;
          } | {
            role: "tool";
            tool_call_id: string;
            content: string | ({
              type: "text";
              text: string;
            })[];
          })[];
          stream?: boolean | null;
          stream_options?: {
            include_usage?: boolean | null;
          } | null;
          tools?: ({
            type: "function";
            function: {
              name: string;
              description?: string | null;
              parameters?: { [key: string]: unknown } | null;
            };
          })[] | null;
          tool_choice?: "none" | "auto" | "required" | {
            type: "function";
            function: {
              name: string;
            };
          } | null;
          parallel_tool_calls?: boolean | null;
          response_format?: {
            type: "text";
          } | {
            type: "json_object";
          } | {
            type: "json_schema";
            json_schema: {
              name: string;
              description?: string | null;
              schema: { [key: string]: unknown };
            };
          } | null;
          max_completion_tokens?: number | null;
          max_tokens?: number | null;
          temperature?: number | null;
          top_p?: number | null;
          presence_penalty?: number | null;
          frequency_penalty?: number | null;
          seed?: number | null;
          stop?: string | (string)[] | null;
          reasoning_effort?: "none" | "minimal" | "low" | "medium" | "high" | "max" | "xhigh" | null;
          n?: 1 | null;
          logprobs?: false | null;
          modalities?: ("text")[] | null;
        };
      } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: {
          'text/event-stream': string;
          'application/json': {
            id: string;
            object: "chat.completion";
            created: number;
            model: string;
            choices: ({
              index: 0;
              message: {
                role: "assistant";
                content: string | null;
                refusal: null;
                tool_calls?: ({
                  id: string;
                  type: "function";
                  function: {
                    name: string;
                    arguments: string;
                  };
                })[];
              };
              logprobs: null;
              finish_reason: "stop" | "length" | "tool_calls" | "content_filter";
            })[];
            usage: {
              prompt_tokens: number;
              completion_tokens: number;
              total_tokens: number;
              prompt_tokens_details: {
                cached_tokens: number;
              };
              cost_usd: number;
            };
          };
        } };
        '4XX': { headers: { [name: string]: unknown }; content: {
          'application/json': {
            error: {
              message: string;
              type: string;
              code: string | null;
              param: string | null;
            };
          };
          'application/problem+json': components['schemas']['Problem'];
        } };
        '5XX': { headers: { [name: string]: unknown }; content: {
          'application/json': {
            error: {
              message: string;
              type: string;
              code: string | null;
              param: string | null;
            };
          };
          'application/problem+json': components['schemas']['Problem'];
        } };
      };
    };
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
}

export interface components {
  schemas: {
    Problem: {
      code: "usage" | "config-invalid" | "extension-invalid" | "request-invalid" | "secret-key-missing" | "request-too-large" | "media-type-unsupported" | "method-not-allowed" | "idempotency-key-reused" | "request-under-way" | "answer-not-repeatable" | "rate-limited" | "server-ending" | "not-found" | "ambiguous-id" | "unauthenticated" | "permission-denied" | "git-unusable" | "git-failed" | "editor-missing" | "not-a-repository" | "repository-empty" | "repository-dirty" | "branch-checked-out" | "prd-missing" | "prd-invalid" | "prd-unchecked" | "gate-command-missing" | "model-unknown" | "provider-key-missing" | "script-invalid" | "script-exhausted" | "run-active" | "session-busy" | "session-idle" | "context-refused" | "output-schema-mismatch" | "rollback-refused" | "reload-refused" | "run-not-active" | "approval-settled" | "provider-rejected" | "context-too-long" | "provider-quota" | "provider-overloaded" | "provider-unreachable" | "provider-silent" | "provider-timeout" | "provider-answers-lost" | "answers-unusable" | "engine-unreachable" | "engine-missing" | "database-unreachable" | "api-unreachable" | "stack-failed" | "port-taken" | "issuer-unreachable" | "disk-full" | "disk-quota" | "workspace-failed" | "path-outside-workspace" | "payload-too-large" | "remote-unavailable" | "remote-not-github" | "head-not-pushed" | "github-token-missing" | "github-token-refused" | "github-refused" | "github-rate-limited" | "github-unreachable" | "hosts-lost" | "lease-lost" | "worker-lost" | "outcome-unknown" | "budget-exceeded" | "internal";
      title: string;
      status: number;
      problems: (string)[];
      next: string;
      details: { [key: string]: unknown };
    };
  };
}

