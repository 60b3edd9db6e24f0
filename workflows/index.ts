/** Entry of the workflow bundle: every exported function is a workflow type of the same name. */
export { ralphRun } from './ralph-run.ts';
export { ralphStory } from './ralph-story.ts';
