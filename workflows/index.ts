/** Entry of the workflow bundle: every exported function is a workflow type of the same name. */
export { a2aTask } from './a2a-task.ts';
export { agentSession } from './agent-session.ts';
export { cleanUp } from './clean-up.ts';
export { pushDelivery } from './push-delivery.ts';
export { ralphRollback } from './ralph-rollback.ts';
export { ralphRun } from './ralph-run.ts';
export { ralphStory } from './ralph-story.ts';
export { subAgent } from './sub-agent.ts';
