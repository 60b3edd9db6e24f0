/** The one part of the client that needs no API: `ralph validate` and `ralph create-prd` work without a stack, and read as the preflight does. */
export { readPrdFile } from '../../activities/ralph/prd-file.ts';
export { repositoryGates } from '../../activities/ralph/repository-gates.ts';
