import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTextCalls, writeTextCall } from '../../domain/model/text-calls.ts';

const isTool = (name: string) => ['read', 'bash', 'list'].includes(name);
const told = (text: string) => readTextCalls(text, { form: 'told', isTool });
const untold = (text: string) => readTextCalls(text, { form: 'untold', isTool });
const forms = [told, untold];
const read = { name: 'read', args: { path: 'a.txt' }, isComplete: true };
const call = '<tool_call>\n{"name": "read", "arguments": {"path": "a.txt"}}\n</tool_call>';
const json = '{"name": "read", "arguments": {"path": "a.txt"}}';

const calls = fc.record({
  name: fc.constantFrom('read', 'bash', 'list'),
  args: fc.dictionary(fc.string(), fc.jsonValue()).map((args) => JSON.parse(JSON.stringify(args)) as object),
});
const unmarked = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('\n', '```', '~~~\n', '{', '}', '"name": "read"', '<tool_response>'),
    ),
  )
  .map((parts) => parts.join(''));

describe('a text without a call', () => {
  it('comes back as it is', () => {
    fc.assert(
      fc.property(unmarked, (text) => {
        for (const readText of forms) expect(readText(text)).toEqual({ text, calls: [] });
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['in a code fence, with words after it', `So it looks:\n\n\`\`\`xml\n${call}\n\`\`\`\n\nThat is a call.`],
    ['in a quotation', `> ${call.replaceAll('\n', '\n> ')}`],
    ['between backquotes', 'I end each call with `</tool_call>`, and begin it with `<tool_call>`.'],
    ['data that has a name', '{"name": "read", "version": "1.0.0"}'],
    ['data that has a name and parameters', '{"name": "read", "description": "reads", "parameters": {}}'],
    ['a list of calls', `[${json}]`],
    ['no tool', '{"name": "fly", "arguments": {}}'],
    ['with words after the object', `${json}\nThat would be it.`],
    ['in a fence that is not closed', `\`\`\`json\n${json}`],
  ])('%s: is not run', (_, text) => {
    for (const readText of forms) expect(readText(text)).toEqual({ text, calls: [] });
  });
});

describe('calls that were written', () => {
  it('are read as they were meant, with what was said before', () => {
    fc.assert(
      fc.property(
        fc.array(calls, { minLength: 1, maxLength: 4 }),
        fc.constantFrom('', 'I look.\n\n'),
        (asked, said) => {
          const text = said + asked.map(writeTextCall).join('\n');
          for (const readText of forms)
            expect(readText(text)).toEqual({
              text: said.trim(),
              calls: asked.map((one) => ({ ...one, isComplete: true })),
            });
        },
      ),
      { numRuns: 500 },
    );
  });

  it('cut at any place, are never half run', () => {
    fc.assert(
      fc.property(calls, fc.nat(), (asked, where) => {
        const whole = writeTextCall(asked);
        const text = whole.slice(0, where % whole.length);
        for (const { isComplete, args } of told(text).calls) {
          expect(isComplete).toBe(false);
          expect(() => JSON.parse(String(args)) as unknown).toThrow(SyntaxError);
        }
        expect(untold(text)).toEqual({ text, calls: [] });
      }),
      { numRuns: 1000 },
    );
  });

  it('are shown to the model as it has written them, also when nobody could read them', () => {
    const broken = '<tool_call>\n{"name": "read", "arguments": {"path": }}\n</tool_call>';
    const [asked] = told(broken).calls;
    expect(asked).toEqual({ name: 'read', args: broken, isComplete: false });
    expect(asked === undefined ? '' : writeTextCall(asked)).toBe(broken);
  });
});

describe('a model that was told to call so', () => {
  it.each([
    ['a fence that is the last', `I look.\n\n\`\`\`json\n${json}\n\`\`\`\n`, 'I look.'],
    ['a fence with tags in it', `I look.\n\`\`\`\n${call}\n\`\`\``, 'I look.'],
    ['a bare object', `I look.\n${json}`, 'I look.'],
    ['arguments as a text', call.replace('{"path": "a.txt"}', '"{\\"path\\": \\"a.txt\\"}"'), ''],
    ['parameters', call.replace('arguments', 'parameters'), ''],
    ['on one line behind words', `I look: ${call.replaceAll('\n', '')}`, 'I look:'],
    ['words after it', `${call}\nNow I wait.`, 'Now I wait.'],
    ['a result that it has made up', `${call}\n<tool_response>\nhello\n</tool_response>\nIt says hello.`, ''],
  ])('%s', (_, text, said) => {
    expect(told(text)).toEqual({ text: said, calls: [read] });
  });

  it('may write line ends into strings as they are, and a closing tag', () => {
    const { calls: found } = told(
      '<tool_call>{"name": "bash", "arguments": {"command": "a\nb </tool_call>"}}</tool_call>',
    );
    expect(found).toEqual([{ name: 'bash', args: { command: 'a\nb </tool_call>' }, isComplete: true }]);
  });

  it('is told of a call in a form of its own', () => {
    const other = '<tool_call>\n<function=read>\n<parameter=path>a.txt</parameter>\n</function>\n</tool_call>';
    expect(told(other).calls).toEqual([{ name: 'tool_call', args: other, isComplete: false }]);
  });

  it('takes no longer for a long text', () => {
    const started = performance.now();
    for (const long of [
      '`'.repeat(200_000),
      ' '.repeat(200_000),
      '{\n'.repeat(2000),
      '```\n'.repeat(20_000),
      '"'.repeat(50_000),
    ])
      told(`${long}}`);
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

describe('a model that has another way', () => {
  it.each([
    ['at the end', `I look.\n\n${call}`, 'I look.'],
    ['a fence alone', `\`\`\`json\n${json}\n\`\`\``, ''],
    ['an object alone', json, ''],
  ])('calls: %s', (_, text, said) => {
    expect(untold(text)).toEqual({ text: said, calls: [read] });
  });

  it.each([
    ['words after it', `${call}\nThat is how I would read it.`],
    ['a fence behind words', `So it is called:\n\`\`\`json\n${json}\n\`\`\``],
    ['an object behind words', `So it is called:\n${json}`],
    ['in a line', `So it is called: ${call.replaceAll('\n', '')}`],
    ['no tool', call.replace('read', 'fly')],
  ])('does not call: %s', (_, text) => {
    expect(untold(text)).toEqual({ text, calls: [] });
  });
});
