import type { CaseResult } from './kit.ts';

/** The cases of a report that pytest has written, by module, class and function: `agent_card.test_caching.TestCache.test_etag[grpc]`. */
export function readJUnit(xml: string): readonly CaseResult[] {
  return [...xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)].map(
    ([, attributes = '', body = '']) => {
      const module = attributeOf(attributes, 'classname').replace(
        /^tests\.(?:compatibility|mandatory|optional\.\w+)\./,
        '',
      );
      const name = `${module}.${attributeOf(attributes, 'name')}`.replaceAll(/\s+/g, '_');
      const [, wrong, details = ''] = /<(failure|error|skipped)\b([^>]*)>/.exec(body) ?? [];
      if (wrong === undefined) return { name, outcome: 'passed' };
      const why = attributeOf(details, 'message').split('\n')[0] ?? '';
      return { name, outcome: wrong === 'skipped' ? 'skipped' : 'failed', why };
    },
  );
}

const entities: { readonly [name: string]: string } = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&', '#10': '\n' };

function attributeOf(attributes: string, name: string): string {
  const [, value = ''] = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes) ?? [];
  return value.replaceAll(/&([#\w]+);/g, (whole, entity: string) => entities[entity] ?? whole);
}
