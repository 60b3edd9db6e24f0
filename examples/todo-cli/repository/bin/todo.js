#!/usr/bin/env node
import { main } from '../src/main.js';

process.exitCode = await main(process.argv.slice(2), {
  file: process.env.TODO_FILE ?? 'todo.json',
  now: new Date(),
  write: (line) => console.log(line),
});
