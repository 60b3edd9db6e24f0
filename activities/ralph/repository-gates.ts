import { accessSync, constants, readFileSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { detectGates, type DetectedGates } from '../../domain/ralph/prd-template.ts';

/** The gates that fit what lies in the folder. @param searchPath `PATH` as gates get it */
export function repositoryGates(folder: string, searchPath: string): DetectedGates {
  return detectGates({
    files: readdirSync(folder),
    packageScripts: packageScripts(join(folder, 'package.json')),
    isInstalled: (program) => isOnPath(program, searchPath),
  });
}

function packageScripts(file: string): { readonly [name: string]: string } {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const scripts = typeof parsed === 'object' && parsed !== null && 'scripts' in parsed ? parsed.scripts : undefined;
    if (typeof scripts !== 'object' || scripts === null) return {};
    return Object.fromEntries(
      Object.entries(scripts).flatMap(([name, script]) => (typeof script === 'string' ? [[name, script]] : [])),
    );
  } catch {
    // No package.json, or one that nobody can use: no scripts.
    return {};
  }
}

function isOnPath(program: string, searchPath: string): boolean {
  return searchPath.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
