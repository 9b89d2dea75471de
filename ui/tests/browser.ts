import { createServer, type IncomingMessage, type Server } from 'node:http';
import { mkdirSync, readFileSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { FakeServer } from './fake-server';

/** The page as it is shipped: built, under its real path and its real content security policy. */

export const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: https:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const BUILT = fileURLToPath(new URL('../dist/connect/', import.meta.url));
export const PICTURES = fileURLToPath(new URL('../../target/screenshots/connect/', import.meta.url));
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
  const path = /^\/connect-account(\/return)?$/.test(pathname)
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

export interface World {
  relink: FakeServer;
  browser: Browser;
  base: string;
  close(): Promise<void>;
}

/** Serves the built page beside a stand-in of the API, and starts the system's Chromium. */
export async function openWorld(): Promise<World> {
  mkdirSync(PICTURES, { recursive: true });
  const world = { relink: new FakeServer() } as World;
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
        const reply = await world.relink.handle(
          request.method ?? '',
          request.url ?? '',
          request.headers,
          body,
        );
        response.writeHead(reply.status, { 'Content-Type': 'application/json' });
        response.end(reply.status === 204 ? '' : JSON.stringify(reply.body));
      } catch {
        // Nobody answers.
        request.socket.destroy();
      }
    })();
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  world.base = `http://127.0.0.1:${address.port}`;
  world.browser = await chromium.launch({
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
  world.close = async () => {
    await world.browser.close();
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  };
  return world;
}

export interface Sight {
  scheme: 'light' | 'dark';
  width: number;
}

export interface Tab {
  context: BrowserContext;
  page: Page;
  /** Everything that the browser complained about. */
  complaints: string[];
  /** The provider's pages that were opened. Nothing leaves this machine: they are answered here. */
  provider: string[];
}

/** A tab of a fresh browser profile, in which other sites are only pretended. */
export async function openTab(world: World): Promise<Tab> {
  const context = await world.browser.newContext({
    viewport: { width: 1000, height: 760 },
    reducedMotion: 'reduce',
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  // Less than a test's own time, so that a failure names what was waited for.
  context.setDefaultTimeout(10_000);
  const complaints: string[] = [];
  const provider: string[] = [];
  await context.route(
    (url) => url.origin !== world.base,
    (route) => {
      provider.push(route.request().url());
      return route.fulfill({ contentType: 'text/html', body: '<title>Provider</title>' });
    },
  );
  const page = await context.newPage();
  page.on('console', (message) => {
    // The browser itself notes every answer that isn't a success; only what the page does counts.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      complaints.push(message.text());
    }
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  return { context, page, complaints, provider };
}
