import { expect, test } from 'vitest';
import { problemsOf, valuesAt } from '../conformance/acts/matches.ts';
import { readJUnit } from '../conformance/junit.ts';

test('a value is held against what an ACTS case expects of it', () => {
  const task = { id: 't-1', status: { state: 'A' }, parts: [{ text: 'one' }, { text: 'two' }], type: 'own' };
  for (const right of [
    { id: { type: 'string' }, status: { state: { one_of: ['A', 'B'] } } },
    { parts: { type: 'array', count_gte: 2, count_lte: 2, items: { text: { matches: '^(one|two)$' } } } },
    { parts: { items: [{ text: { starts_with: 'o' } }] }, error: { absent: true }, id: { exists: true } },
    { any_of: [{ id: 'other' }, { id: { contains: '-1' } }] },
    { parts: { all_of: [{ type: 'array' }, { count: 2 }] } },
  ])
    expect(problemsOf(task, right), JSON.stringify(right)).toEqual([]);
  for (const wrong of [
    { id: 't-2' },
    { id: { type: 'number' } },
    { status: { state: { one_of: ['B'] } } },
    { parts: { count_gte: 3 } },
    { parts: { items: { text: 'one' } } },
    { id: { absent: true } },
    { error: { exists: true } },
    { any_of: [{ id: 'other' }] },
  ])
    expect(problemsOf(task, wrong), JSON.stringify(wrong)).toHaveLength(1);
  expect(
    valuesAt({ tasks: [{ parts: [{ text: 'a' }] }, { parts: [{ text: 'b' }, {}] }] }, 'tasks[*].parts[*].text'),
  ).toEqual(['a', 'b']);
});

test('the cases of a report of pytest are read with what became of them', () => {
  const xml = `<?xml version="1.0"?><testsuites><testsuite>
    <testcase classname="tests.compatibility.grpc.test_a.TestB" name="test_c[x y]" time="0.1" />
    <testcase classname="tests.optional.capabilities.test_d" name="test_e"><failure message="assert &lt;1&gt;&#10;more">long</failure></testcase>
    <testcase classname="tests.mandatory.protocol.test_f" name="test_g"><skipped type="pytest.skip" message="not here">x</skipped></testcase>
    <testcase classname="tests.mandatory.protocol.test_f" name="test_h"><error message="broke">x</error></testcase>
  </testsuite></testsuites>`;
  expect(readJUnit(xml)).toEqual([
    { name: 'grpc.test_a.TestB.test_c[x_y]', outcome: 'passed' },
    { name: 'test_d.test_e', outcome: 'failed', why: 'assert <1>' },
    { name: 'protocol.test_f.test_g', outcome: 'skipped', why: 'not here' },
    { name: 'protocol.test_f.test_h', outcome: 'failed', why: 'broke' },
  ]);
});
