import { parentPort, workerData } from 'node:worker_threads';
import { Readability } from '@mozilla/readability';
import { parseHTML } from 'linkedom';
import TurndownService from 'turndown';
import type { Page, ReadablePage } from './readable-page.ts';

/** Thread that turns a web page into text. Its input comes from `readPage` only. */
const page = workerData as Page;

function read({ html, url, format }: Page): ReadablePage {
  const { document } = parseHTML(inWhole(html));
  const title = (document.querySelector('title')?.textContent ?? '').trim();
  for (const element of document.querySelectorAll('title, script, style, noscript, template, svg, iframe'))
    element.remove();
  for (const link of document.querySelectorAll('a[href]')) {
    const target = URL.parse(link.getAttribute('href') ?? '', url);
    if (target !== null) link.setAttribute('href', target.href);
  }
  const whole = document.body?.innerHTML ?? html;
  const article = new Readability(document).parse();
  const content = article?.content ?? whole;
  if (format === 'text')
    return { title, text: parseHTML(`<html><body>${content}</body></html>`).document.body.textContent.trim() };
  const turndown = new TurndownService({ headingStyle: 'atx', codeBlockStyle: 'fenced', bulletListMarker: '-' });
  turndown.remove(['img']);
  return { title, text: turndown.turndown(parseHTML(`<html><body>${content}</body></html>`).document.body) };
}

/** Without its outer elements the parser finds no body. */
function inWhole(html: string): string {
  if (!/<body[\s>]/i.test(html)) return `<html><body>${html}</body></html>`;
  return /<html[\s>]/i.test(html) ? html : `<html>${html}</html>`;
}

parentPort?.postMessage(read(page), []);
