/** Readable text colors. */

/** WCAG AA for text. */
const READABLE = 4.5;

const HEX = /^#([0-9a-f]{6})$/i;

/** The color if it has the form `#rrggbb`. Nothing else is put into the page. */
export function hexColor(color: string | null): string | null {
  return color !== null && HEX.test(color) ? color : null;
}

/** Whether white text is readable on this color, by WCAG’s relative luminance. Otherwise black text is. */
export function wantsLightInk(color: string): boolean {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => linear(parseInt(color.slice(at, at + 2), 16)));
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return 1.05 / (luminance + 0.05) >= READABLE;
}

function linear(channel: number): number {
  const share = channel / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
}
