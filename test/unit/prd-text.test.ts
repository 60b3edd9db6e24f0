import * as fc from 'fast-check';
import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import { markPasses, parsePrdText } from '../../activities/ralph/prd-text.ts';
import { asCodetetherError } from '../../domain/errors.ts';

function errorOf(work: () => unknown): { code: string; problems: readonly string[] } {
  try {
    work();
  } catch (error) {
    const { code, problems } = asCodetetherError(error);
    return { code, problems };
  }
  throw new Error('it was taken');
}

describe('reading', () => {
  test('the extension decides, else the content', () => {
    expect(parsePrdText('{"a": 1}', '/x/prd.json')).toEqual({ format: 'json', value: { a: 1 } });
    expect(parsePrdText('a: 1', '/x/prd.yaml')).toEqual({ format: 'yaml', value: { a: 1 } });
    expect(parsePrdText('{"a": 1}', '/x/prd.yml')).toEqual({ format: 'yaml', value: { a: 1 } });
    expect(parsePrdText('a: 1', '/x/prd')).toEqual({ format: 'yaml', value: { a: 1 } });
    expect(parsePrdText('{"a": 1}', '/x/prd.txt')).toEqual({ format: 'json', value: { a: 1 } });
    expect(parsePrdText('\ufeff{"a": 1}', '/x/prd.json').value).toEqual({ a: 1 });
    expect(parsePrdText('\ufeffa: 1', '/x/prd.yaml').value).toEqual({ a: 1 });
  });

  test.each([
    ['prd.json', '{\n  "a": 1,\n}', '3:1: expected a key in double quotes, found "}"'],
    ['prd.json', '{\n  "a": tru\n}', '2:8: expected a value, found "tru"'],
    ['prd.json', '{"a": [1, 2', '1:12: expected , or ], found the end of the file'],
    ['prd.json', '{"a": 1} x', '1:10: expected the end of the file, found "x"'],
    ['prd.json', '{"a": "x\n"}', '1:7: expected a text that ends on its line'],
    ['prd.json', '{"a" 1}', '1:6: expected :, found "1}"'],
    ['prd.json', '// plan\n{}', '1:1: expected a value, found "//"'],
    ['prd.json', '', '1:1: the file is empty'],
    ['prd.json', 'a: 1', '1:1: expected a value, found "a:"'],
    ['prd.txt', '{a: 1}', '1:2: expected a key in double quotes, found "a:"'],
    ['prd.yaml', 'a: 1\nb: [1, 2\nc: 3', '3:1: '],
    ['prd.yaml', 'a: 1\na: 2', '2:1: Map keys must be unique'],
    ['prd.yaml', 'a: *nobody', 'nobody'],
    ['prd.yaml', 'a: 1\n---\nb: 2', '2:1: '],
  ])('a syntax error in %s %j says line and column', (path, text, problem) => {
    const { code, problems } = errorOf(() => parsePrdText(text, path));
    expect(code).toBe('prd-invalid');
    expect(problems[0]).toContain(problem);
  });

  test('a YAML file that grows without bound by its aliases is refused', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (let index = 1; index < 9; index += 1) {
      const previous = String.fromCodePoint(96 + index);
      const name = String.fromCodePoint(97 + index);
      bomb.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${previous}`).join(',')}]`);
    }
    expect(errorOf(() => parsePrdText(bomb.join('\n'), 'prd.yaml')).code).toBe('prd-invalid');
  });
});

const passed = new Map([
  ['US-1', true],
  ['US-3', true],
]);

const marked = (value: { user_stories: readonly { id: string; passes?: boolean | null }[] }) => ({
  ...value,
  user_stories: value.user_stories.map((given) => (passed.has(given.id) ? { ...given, passes: true } : given)),
});

describe('marking stories as passed', () => {
  test('changes nothing but the words', () => {
    const text = `{
\t"project" : "p",   "unknown": {"a":[1,  2]},
\t"userStories": [
\t\t{ "id": "US-1", "passes": false, "x": "\\u00e9\\ud83d" },
\t\t{ "passes":false,"id":"US-2" },

\t\t{ "id": "US-3",
\t\t\t"title": "}],\\"passes\\": false"
\t\t}
\t] }

`;
    expect(markPasses(text, 'prd.json', passed)).toBe(
      text
        .replace('"US-1", "passes": false', '"US-1", "passes": true')
        .replace('false"\n', 'false",\n\t\t\t"passes": true\n'),
    );
  });

  test('of a key given twice the last is the one that counts', () => {
    const text = '{"user_stories":[{"id":"US-1","passes":true,"passes":false}]}';
    expect(markPasses(text, 'prd.json', passed)).toBe('{"user_stories":[{"id":"US-1","passes":true,"passes":true}]}');
  });

  test('a story without passes gets it, a null becomes true, a true stays', () => {
    expect(markPasses('{"user_stories":[{"id":"US-1"}]}', 'a.json', passed)).toBe(
      '{"user_stories":[{"id":"US-1", "passes":true}]}',
    );
    expect(markPasses('{"user_stories":[{"id":"US-1","passes":null}]}', 'a.json', passed)).toBe(
      '{"user_stories":[{"id":"US-1","passes":true}]}',
    );
    const same = '{ "user_stories":[{"id":"US-2","passes":true}, {"id":"US-1","passes":true}] }';
    expect(markPasses(same, 'a.json', passed)).toBe(same);
  });

  test('the byte order mark and CRLF stay', () => {
    const text =
      '\ufeff{\r\n  "user_stories": [\r\n    {\r\n      "id": "US-1",\r\n      "a": 1\r\n    }\r\n  ]\r\n}\r\n';
    expect(markPasses(text, 'a.json', passed)).toBe(text.replace('"a": 1\r\n', '"a": 1,\r\n      "passes": true\r\n'));
  });

  test('text that is no PRD at the moment is refused', () => {
    expect(errorOf(() => markPasses('{"user_stories": [', 'a.json', passed)).code).toBe('prd-invalid');
  });

  test('YAML keeps comments, quotes, order and lines', () => {
    const text = `# my plan
project: 'p'   # quoted
user_stories:
  - id: US-1 # first
    title: >-
      folded
      text
    passes: no way   # not a boolean
  -   id: "US-2"
      passes: false
  - title: third

    id: US-3
    notes: |
      passes: false
  - {id: US-1, title: flow}
unknown:
    - a
`;
    expect(markPasses(text, 'prd.yaml', passed)).toBe(
      text
        .replace('passes: no way ', 'passes: true ')
        .replace('    id: US-3\n', '    id: US-3\n    passes: true\n')
        .replace('{id: US-1,', '{id: US-1, passes: true,'),
    );
  });

  test('YAML with CRLF and in camelCase', () => {
    const text = 'userStories:\r\n- id: US-1\r\n  title: a\r\n- title: b\r\n  id: US-3';
    expect(markPasses(text, 'prd.yml', passed)).toBe(
      'userStories:\r\n- id: US-1\r\n  passes: true\r\n  title: a\r\n- title: b\r\n  id: US-3\r\n  passes: true',
    );
  });

  test('a story that is open again loses its passes, in JSON and YAML, and one without passes stays as it is', () => {
    const open = new Map([
      ['US-1', false],
      ['US-2', false],
    ]);
    expect(markPasses('{"user_stories": [{"id": "US-1", "passes" : true}, {"id": "US-2"}]}', 'a.json', open)).toBe(
      '{"user_stories": [{"id": "US-1", "passes" : false}, {"id": "US-2"}]}',
    );
    expect(markPasses('user_stories:\n- id: US-1\n  passes: true # was\n- id: US-2\n', 'a.yaml', open)).toBe(
      'user_stories:\n- id: US-1\n  passes: false # was\n- id: US-2\n',
    );
  });

  test('YAML in unusual clothes is changed by value, not by luck', () => {
    const text = 'user_stories:\n  - ? id\n    : US-1\n    title: a\n    passes:\n  # kept\n  - id: US-2\n';
    const changed = markPasses(text, 'prd.yaml', passed);
    expect(parse(changed)).toEqual({
      user_stories: [{ id: 'US-1', title: 'a', passes: true }, { id: 'US-2' }],
    });
    expect(changed).toContain('# kept');
  });

  test('YAML whose stories share a part that would change with them is refused', () => {
    const text = 'base: &b {id: US-1, passes: false}\nuser_stories:\n  - *b\n';
    const outcome = (() => {
      try {
        return parse(markPasses(text, 'prd.yaml', passed));
      } catch (error) {
        return asCodetetherError(error).code;
      }
    })();
    expect(outcome).toBe('prd-invalid');
  });

  const id = fc.constantFrom('US-1', 'US-2', 'US-3', 'US-4');
  const story = fc.record(
    { id, passes: fc.oneof(fc.boolean(), fc.constant(null)), title: fc.string(), extra: fc.jsonValue() },
    { requiredKeys: ['id'] },
  );
  const stories = fc.uniqueArray(story, { selector: (given) => given.id, maxLength: 4 });
  const prd = fc.record(
    { project: fc.string(), more: fc.jsonValue(), user_stories: stories, last: fc.jsonValue() },
    { requiredKeys: ['user_stories'] },
  );
  test('any JSON with indentation is afterwards what JSON.stringify would have made of it', () => {
    fc.assert(
      fc.property(prd, fc.constantFrom('  ', '    ', '\t'), fc.boolean(), (value, indent, hasNewline) => {
        const end = hasNewline ? '\n' : '';
        const text = `${JSON.stringify(value, null, indent)}${end}`;
        // A story with a single member has no separator to copy; every story has at least one more.
        const expected = `${JSON.stringify(marked(value), null, indent)}${end}`;
        const changed = markPasses(text, 'prd.json', passed);
        expect(JSON.parse(changed)).toEqual(JSON.parse(expected));
        if (value.user_stories.every((given) => Object.keys(given).length > 1)) expect(changed).toBe(expected);
      }),
    );
  });

  test('any JSON in any spacing changes only at the places of passes', () => {
    fc.assert(
      fc.property(prd, fc.array(fc.constantFrom('', ' ', '\n', '\t', '\r\n  '), { minLength: 1 }), (value, spaces) => {
        let at = 0;
        const text = JSON.stringify(value, null, 1).replace(/\n */g, () => spaces[at++ % spaces.length] ?? '');
        const changed = markPasses(text, 'prd.json', passed);
        expect(JSON.parse(changed)).toEqual(JSON.parse(JSON.stringify(marked(value))));
        expect(markPasses(changed, 'prd.json', passed)).toBe(changed);
      }),
    );
  });
});
