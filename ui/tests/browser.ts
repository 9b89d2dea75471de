import { createServer, type IncomingMessage, type Server } from 'node:http';
import { mkdirSync, readFileSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { FakeServer } from './fake-server';

/** The built page, served under its real path and content security policy. */

export const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const BUILT = fileURLToPath(new URL('../dist/connect/', import.meta.url));
export const SCREENSHOTS = fileURLToPath(new URL('../../target/screenshots/connect/', import.meta.url));
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text === '' ? null : (JSON.parse(text) as unknown);
}

function pageFile(pathname: string): { type: string; content: Buffer } | null {
  const path = /^\/connect-account(\/return|(\/post-connect)?(\/open\/[^/]+)?)?$/.test(pathname)
    ? 'index.html'
    : normalize(pathname.replace(/^\/connect-account\//, ''));
  const type = TYPES[extname(path)];
  if (!type || path.startsWith('..')) return null;
  try {
    return { type, content: readFileSync(join(BUILT, path)) };
  } catch {
    return null;
  }
}

export interface Harness {
  relink: FakeServer;
  browser: Browser;
  base: string;
  close(): Promise<void>;
}

/** Serves the built page and a fake API, and starts Chromium. */
export async function openHarness(): Promise<Harness> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  const harness = { relink: new FakeServer() } as Harness;
  const server: Server = createServer((request, response) => {
    void (async () => {
      const { pathname } = new URL(request.url ?? '/', 'http://127.0.0.1');
      const file = request.method === 'GET' ? pageFile(pathname) : null;
      if (file) {
        response.writeHead(200, { 'Content-Type': file.type, 'Content-Security-Policy': CSP });
        response.end(file.content);
        return;
      }
      try {
        const body = await bodyOf(request);
        const reply = await harness.relink.handle(
          request.method ?? '',
          request.url ?? '',
          request.headers,
          body,
        );
        response.writeHead(reply.status, { 'Content-Type': 'application/json' });
        response.end(reply.status === 204 ? '' : JSON.stringify(reply.body));
      } catch {
        // Simulates that no program listens on the port.
        request.socket.destroy();
      }
    })();
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  harness.base = `http://127.0.0.1:${address.port}`;
  harness.browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  harness.close = async () => {
    await harness.browser.close();
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  };
  return harness;
}

export interface Viewport {
  scheme: 'light' | 'dark';
  width: number;
}

export interface Tab {
  context: BrowserContext;
  page: Page;
  /** Errors on the browser’s console. */
  consoleErrors: string[];
  /** Provider URLs that were opened. They are answered here, so nothing leaves this machine. */
  provider: string[];
}

/** A tab in a new browser profile. Other sites are answered with a blank page. */
export async function openTab(harness: Harness): Promise<Tab> {
  const context = await harness.browser.newContext({
    viewport: { width: 1000, height: 760 },
    reducedMotion: 'reduce',
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  // Shorter than a test’s own timeout, so that a failure names what was waited for.
  context.setDefaultTimeout(10_000);
  const consoleErrors: string[] = [];
  const provider: string[] = [];
  await context.route(
    (url) => url.origin !== harness.base,
    (route) => {
      provider.push(route.request().url());
      return route.fulfill({ contentType: 'text/html', body: '<title>Provider</title>' });
    },
  );
  const page = await context.newPage();
  page.on('console', (message) => {
    // The browser logs every unsuccessful response itself. Only the page’s own errors count.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      consoleErrors.push(message.text());
    }
  });
  page.on('pageerror', (error) => consoleErrors.push(String(error)));
  return { context, page, consoleErrors, provider };
}
