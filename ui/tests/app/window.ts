import { createServer } from 'node:http';
import { mkdirSync, readFileSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { AccountChanges, Change, Destination } from '../../host/types';
import { FakeRelink } from './fake-relink';

/** The window’s built page in Chromium, on a `FakeRelink` instead of Tauri. */

const BUILT = fileURLToPath(new URL('../../dist/app/', import.meta.url));
const CONF = fileURLToPath(new URL('../../../tauri.conf.json', import.meta.url));
export const SCREENSHOTS = fileURLToPath(new URL('../../../target/screenshots/app/', import.meta.url));
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

/** The content security policy of tauri.conf.json. */
function policy(): string {
  const conf = JSON.parse(readFileSync(CONF, 'utf8')) as {
    app: { security: { csp: Record<string, string> } };
  };
  return Object.entries(conf.app.security.csp)
    .map(([name, value]) => `${name} ${value}`)
    .join('; ');
}

interface Windows {
  browser: Browser;
  base: string;
  close(): Promise<void>;
}

async function openWindows(): Promise<Windows> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  const csp = policy();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://127.0.0.1');
    const path = normalize(pathname === '/' ? 'index.html' : pathname.slice(1));
    const type = TYPES[extname(path)];
    try {
      if (!type || path.startsWith('..')) throw new Error('no such file');
      const content = readFileSync(join(BUILT, path));
      response.writeHead(200, { 'Content-Type': type, 'Content-Security-Policy': csp });
      response.end(content);
    } catch {
      response.writeHead(404);
      response.end();
    }
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    // Scroll bars take space, as on most desktops.
    ignoreDefaultArgs: ['--hide-scrollbars'],
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
    ],
  });
  return {
    browser,
    base: `http://127.0.0.1:${address.port}`,
    async close() {
      await browser.close();
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

export interface AppWindow {
  context: BrowserContext;
  page: Page;
  relink: FakeRelink;
  /** Errors on the browser’s console. */
  consoleErrors: string[];
  /** Sends the page a change. Without `changes`, it doesn’t say which accounts changed. */
  changed(kind: Exclude<Change['kind'], 'sync_progress'>, changes?: AccountChanges): Promise<void>;
  /** These runs of sync jobs went on. */
  progressed(runs: string[]): Promise<void>;
  show(destination: Destination): Promise<void>;
}

/** For a test file: one browser for all its tests, and a new window for each, which must log no errors. */
export function setUpWindows(): (relink?: FakeRelink) => Promise<AppWindow> {
  let windows: Windows;
  let opened: AppWindow | null = null;
  beforeAll(async () => {
    windows = await openWindows();
  });
  afterAll(() => windows.close());
  afterEach(async () => {
    expect(opened?.consoleErrors).toEqual([]);
    await opened?.context.close();
  });
  return async (relink) => (opened = await openWindow(windows, relink));
}

/** Opens the window on this Relink. */
async function openWindow(windows: Windows, relink = new FakeRelink()): Promise<AppWindow> {
  const context = await windows.browser.newContext({
    viewport: { width: 1120, height: 720 },
    reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const consoleErrors: string[] = [];
  page.on('console', (message) => message.type() === 'error' && consoleErrors.push(message.text()));
  page.on('pageerror', (error) => consoleErrors.push(String(error)));
  await page.exposeFunction('relinkInvoke', async (command: string, args: unknown) => {
    try {
      return { output: (await relink.invoke(command, args)) ?? null };
    } catch (thrown) {
      return { thrown };
    }
  });
  await page.addInitScript(bridge);
  await page.goto(windows.base);
  const emit = (event: string, payload: unknown): Promise<void> =>
    page.evaluate(([name, value]) => window.relinkEmit(name as string, value), [event, payload]);
  return {
    context,
    page,
    relink,
    consoleErrors,
    changed: (kind, changes) =>
      emit('changed', kind === 'accounts' ? { kind, changes: changes ?? null } : { kind }),
    progressed: (runs) => emit('changed', { kind: 'sync_progress', runs }),
    show: (destination) => emit('show', destination),
  };
}

declare global {
  interface Window {
    relinkInvoke(command: string, args: unknown): Promise<{ output?: unknown; thrown?: unknown }>;
    relinkEmit(event: string, payload: unknown): void;
  }
}

/** The part of Tauri’s internals that @tauri-apps/api 2 uses. Runs in the page. */
function bridge(): void {
  const callbacks = new Map<number, (payload: unknown) => void>();
  const listeners: { event: string; handler: number; id: number }[] = [];
  let next = 1;
  window.relinkEmit = (event, payload) => {
    for (const listener of listeners.filter((each) => each.event === event))
      callbacks.get(listener.handler)?.({ event, id: listener.id, payload });
  };
  const internals = {
    transformCallback(callback: (payload: unknown) => void) {
      callbacks.set(next, callback);
      return next++;
    },
    unregisterCallback: (id: number) => callbacks.delete(id),
    async invoke(command: string, args: Record<string, unknown>) {
      if (command === 'plugin:event|listen') {
        const id = next++;
        listeners.push({ event: args['event'] as string, handler: args['handler'] as number, id });
        return id;
      }
      if (command === 'plugin:event|unlisten') {
        const at = listeners.findIndex(({ id }) => id === args['eventId']);
        if (at >= 0) listeners.splice(at, 1);
        return null;
      }
      const { output, thrown } = await window.relinkInvoke(command, args);
      if (thrown !== undefined) throw thrown;
      return output;
    },
  };
  Object.assign(window, {
    ['__TAURI_EVENT_PLUGIN_INTERNALS__']: { unregisterListener: () => undefined },
    ['__TAURI_INTERNALS__']: internals,
  });
}
