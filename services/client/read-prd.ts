/** The one part of the client that needs no API: `ralph validate` works without a stack, and reads as the preflight does. */
export { readPrdFile } from '../../activities/ralph/prd-file.ts';
