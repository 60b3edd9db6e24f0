// Checks every source file: no tabs, no trailing spaces, a final newline.
import { readdirSync, readFileSync } from 'node:fs';

const problems = [];
for (const folder of ['bin', 'src', 'test', 'tools']) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.js')) continue;
    const path = `${entry.parentPath}/${entry.name}`;
    const text = readFileSync(path, 'utf8');
    text.split('\n').forEach((line, index) => {
      if (/\t/.test(line)) problems.push(`${path}:${index + 1}: tab`);
      if (/ +$/.test(line)) problems.push(`${path}:${index + 1}: trailing space`);
    });
    if (!text.endsWith('\n')) problems.push(`${path}: no final newline`);
  }
}
for (const problem of problems) console.log(`error: ${problem}`);
process.exitCode = problems.length > 0 ? 1 : 0;
