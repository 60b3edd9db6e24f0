import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Skill } from '../../domain/session/extensions.ts';
import { nearest } from '../../domain/text/nearest.ts';
import { limitText, maxOutputCharacters, plainText } from './output-text.ts';
import { defineTool, failure, success } from './tool.ts';
import type { Tool, ToolOutcome } from './tool.ts';
import { resolveWorkspacePath } from './workspace-path.ts';

const mostFiles = 100;

/** Gives out what was written down once: the texts of skills and the files beside them, and nothing outside of their folders. */
export function createSkillTool(): Tool {
  return defineTool({
    name: 'skill',
    risk: 'read',
    description:
      'Instructions for particular kinds of work, written down by the user or the project. `list` names them, `load` gives the text of one and names the files beside it; with `file` it gives one of those.',
    input: z.object({
      action: z.enum(['list', 'load']),
      name: z.string().min(1).optional().describe('Of the skill to load'),
      file: z.string().min(1).optional().describe('A file beside the skill, as load names it'),
    }),
    label: ({ action, name, file }) => [action, name, file].filter((word) => word !== undefined).join(' '),
    run: async ({ action, name, file }, { skills: readSkills }) => {
      const skills = (await readSkills?.()) ?? [];
      if (action === 'list') {
        if (skills.length === 0) return success('(there is none)');
        return success(skills.map((skill) => `${skill.name}: ${skill.description}`).join('\n'));
      }
      if (name === undefined) return failure('load needs the name of a skill');
      const skill = skills.find((each) => each.name === name);
      if (skill === undefined) return unknown(name, skills);
      return file === undefined ? success(textOf(skill)) : await fileOf(skill, file);
    },
  });
}

function unknown(name: string, skills: readonly Skill[]): ToolOutcome {
  const names = skills.map((skill) => skill.name);
  const meant = nearest(name, names);
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
  return failure(`there is no skill ${JSON.stringify(name.slice(0, 100))}${hint} Skills: ${names.join(', ')}`);
}

function textOf({ name, folder, body, files }: Skill): string {
  if (files.length === 0) return `# Skill ${name}\n\n${plainText(body)}`;
  const named = files.slice(0, mostFiles).map((file) => `- ${file}`);
  const more = files.length > mostFiles ? [`- … and ${files.length - mostFiles} more`] : [];
  return [`# Skill ${name}`, plainText(body), `Files beside it, in ${folder}:`, [...named, ...more].join('\n')].join(
    '\n\n',
  );
}

async function fileOf(skill: Skill, name: string): Promise<ToolOutcome> {
  const file = await resolveWorkspacePath({ root: skill.folder, mainCheckout: null }, name, 'read');
  if (!skill.files.includes(file.relative)) return failure(`${skill.name} has no file ${file.relative}`);
  const content = await readFile(file.absolute);
  if (content.includes(0)) return failure(`${file.relative} is a binary file of ${content.length} bytes`);
  const advice = `read the rest with bash: ${file.absolute}`;
  return success(limitText(plainText(content.toString('utf8')), { maxCharacters: maxOutputCharacters, advice }));
}
