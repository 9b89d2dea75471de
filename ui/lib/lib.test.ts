import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hexColor, wantsLightInk } from './contrast';

const ui = new URL('../', import.meta.url);

describe('tokens.css', () => {
  const files = ['app', 'connect', 'lib']
    .flatMap((folder) =>
      readdirSync(new URL(folder, ui), { recursive: true, encoding: 'utf8' }).map(
        (path) => `${folder}/${path}`,
      ),
    )
    .filter((path) => /\.(svelte|css)$/.test(path));

  it.each(files)('is the only place for colors, sizes and durations: %s', (path) => {
    const text = readFileSync(new URL(path, ui), 'utf8');
    const css = path.endsWith('.css') ? text : (text.split('<style>')[1] ?? '');
    // A media or container query can't read a custom property.
    const rules = css.replaceAll(/@(?:media|container)[^{]*/g, '').replaceAll(/\/\*.*?\*\//gs, '');
    expect(rules.match(/#[0-9a-f]{3,8}\b|\brgba?\(|\d(?:px|rem|em|ch|ms|s)\b/gi) ?? []).toEqual([]);
  });
});

describe('the text color on a background', () => {
  it.each([
    ['#24292f', true],
    ['#c8501e', true],
    ['#ffe01b', false],
    ['#777777', false],
  ])('on %s is light: %s', (color, light) => {
    expect(wantsLightInk(color)).toBe(light);
  });

  it('accepts only colors of the form #rrggbb', () => {
    expect(hexColor('url(https://example.com)')).toBeNull();
    expect(hexColor('#24292F')).toBe('#24292F');
  });
});
