import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { SCREENSHOTS, type AppWindow } from './window';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/**
 * Takes screenshots of this state in light and dark, narrow and wide. In each, axe must find nothing and nothing may be
 * wider than the window.
 */
export async function inspect({ page }: AppWindow, name: string): Promise<void> {
  for (const scheme of ['light', 'dark'] as const) {
    for (const width of [720, 1120, 1600]) {
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
      await page.setViewportSize({ width, height: 720 });
      await page.mouse.move(0, 0);
      await picture(page, `${SCREENSHOTS}${name}-${scheme}-${width}.png`);
      expect(await axe(page), `${name}, ${scheme}, ${width} px: axe`).toEqual([]);
      expect(await overflowing(page), `${name}, ${width} px: wider than the window`).toEqual([]);
      expect(await scrolling(page), `${name}, ${width} px: scrolls`).toEqual([]);
    }
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  // The smallest window (src-tauri/src/windows.rs): vertical scroll bars take space from the width.
  await page.setViewportSize({ width: 720, height: 480 });
  await picture(page, `${SCREENSHOTS}${name}-smallest.png`);
  expect(await overflowing(page), `${name}, smallest window: wider than the window`).toEqual([]);
  expect(await scrolling(page), `${name}, smallest window: scrolls`).toEqual([]);
  await page.setViewportSize({ width: 1120, height: 720 });
}

/** The same with text twice the default size, in the narrowest window. */
export async function inspectLargeText({ page }: AppWindow, name: string): Promise<void> {
  await page.setViewportSize({ width: 720, height: 720 });
  await page.evaluate(() => document.documentElement.style.setProperty('font-size', '200%'));
  await picture(page, `${SCREENSHOTS}${name}-large-text.png`);
  expect(await axe(page), `${name}, large text: axe`).toEqual([]);
  expect(await overflowing(page), `${name}, large text: wider than the window`).toEqual([]);
  expect(await scrolling(page), `${name}, large text: scrolls`).toEqual([]);
  for (const dialog of await page.locator('dialog[open]').all())
    expect(await dialog.isVisible(), `${name}, large text: the dialog is not visible`).toBe(true);
  await page.evaluate(() => document.documentElement.style.removeProperty('font-size'));
  await page.setViewportSize({ width: 1120, height: 720 });
}

/** Takes a screenshot without scroll bars, which look different on each desktop. */
async function picture(page: Page, path: string): Promise<void> {
  // The content security policy forbids injected style elements, not this.
  await page.evaluate(() => {
    const hidden = new CSSStyleSheet();
    hidden.replaceSync('* { scrollbar-width: none !important; }');
    document.adoptedStyleSheets = [hidden];
  });
  await page.screenshot({ path, animations: 'disabled' });
  await page.evaluate(() => (document.adoptedStyleSheets = []));
}

async function axe(page: Page): Promise<string[]> {
  // Evaluated by the driver, because the page’s content security policy rightly forbids injected scripts.
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe: checker } = window as unknown as { axe: { run: () => Promise<AxeResults> } };
    const { violations } = await checker.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
  });
}

function overflowing(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { clientWidth } = document.documentElement;
    return [...document.querySelectorAll('#page *, dialog *')]
      .filter((element) => {
        const { right, left, width } = element.getBoundingClientRect();
        return width > 1 && (right > clientWidth + 1 || left < -1);
      })
      .map((element) => element.outerHTML.slice(0, 120));
  });
}

/** The elements that show a horizontal scroll bar, and the page itself if it scrolls at all: only its columns do. */
function scrolling(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { scrollHeight, clientHeight } = document.documentElement;
    const whole = scrollHeight > clientHeight ? [`the page: ${scrollHeight} > ${clientHeight}`] : [];
    const sideways = [...document.querySelectorAll('html, body, #page *, dialog, dialog *')]
      .filter((element) => {
        const { overflowX } = getComputedStyle(element);
        const scrolls = ['auto', 'scroll'].includes(overflowX) || element === document.documentElement;
        return scrolls && element.tagName !== 'TEXTAREA' && element.scrollWidth > element.clientWidth;
      })
      .map(
        (element) => `${element.outerHTML.slice(0, 120)} (${element.scrollWidth} > ${element.clientWidth})`,
      );
    return [...whole, ...sideways];
  });
}
