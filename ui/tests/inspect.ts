import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import type { AxeResults } from 'axe-core';
import { SCREENSHOTS, type Viewport, type Tab } from './browser';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Waits until this heading is shown and has the focus. */
export async function arrive(page: Page, heading: string): Promise<void> {
  await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor();
  await page.waitForFunction(() => document.activeElement?.tagName === 'H1');
  await expect.poll(() => page.title()).toBe(`${heading} · Relink`);
}

/** Takes a screenshot. axe must find nothing, and nothing may be wider than the viewport. */
export async function inspect({ page }: Tab, viewport: Viewport, name: string): Promise<void> {
  await page.emulateMedia({ colorScheme: viewport.scheme, reducedMotion: 'reduce' });
  await page.setViewportSize({ width: viewport.width, height: 760 });
  await page.mouse.move(0, 0);
  await page.screenshot({
    path: `${SCREENSHOTS}${name}-${viewport.scheme}-${viewport.width}.png`,
    fullPage: true,
    animations: 'disabled',
  });
  // Evaluated by the driver, because the page’s content security policy rightly forbids injected scripts.
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: () => Promise<AxeResults> } };
    const { violations } = await axe.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
  });
  expect(found, `${name}: axe`).toEqual([]);
  expect(await overflowing(page), `${name}: wider than the window`).toEqual([]);
}

/** The same at 480 px with text twice the default size. */
export async function expectRoomForLargeText(page: Page, name: string): Promise<void> {
  await page.setViewportSize({ width: 480, height: 760 });
  await page.evaluate(() => document.documentElement.style.setProperty('font-size', '200%'));
  await page.screenshot({
    path: `${SCREENSHOTS}${name}-large-text.png`,
    fullPage: true,
    animations: 'disabled',
  });
  expect(await overflowing(page), `${name}: wider than the window, with large text`).toEqual([]);
}

/** The elements that are wider than the window. */
function overflowing(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { clientWidth, scrollWidth } = document.documentElement;
    const out = [...document.querySelectorAll('main *')].filter((element) => {
      const { right, left, width } = element.getBoundingClientRect();
      return width > 1 && (right > clientWidth + 1 || left < -1);
    });
    const found = out.map((element) => element.outerHTML.slice(0, 120));
    return scrollWidth > clientWidth && found.length === 0 ? ['the page'] : found;
  });
}
