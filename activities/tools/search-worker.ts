import { parentPort, workerData } from 'node:worker_threads';
import { searchFiles, type FileSearch } from './search-files.ts';

/**
 * Thread for searches by regular expression: an expression of the model can take for ever, and here it can be
 * ended without stopping the worker's heartbeats. Its input comes from `searchWithin` only.
 */
const search = workerData as FileSearch;
parentPort?.postMessage(await searchFiles(search), []);
