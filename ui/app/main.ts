import '../tokens.css';
import '../lib/base.css';
import { mount, tick } from 'svelte';
import { tauri } from '../host/tauri';
import App from './App.svelte';

const page = document.getElementById('page');
if (!page) throw new Error('index.html has no #page');
mount(App, { target: page, props: { host: tauri } });

/**
 * Reports that the page can be shown, with its first data: the request comes after those of the page. Then that it is
 * painted, which it is only in a window that is shown.
 */
async function report(): Promise<void> {
  await tick();
  await tauri.invoke('overview').catch(() => undefined);
  await tick();
  await tauri.invoke('page_ready');
  await painted();
  await tauri.invoke('page_painted');
}
void report();

/** Resolves when the page is on the screen: the second frame begins after the first one’s paint, the third once that is shown. */
async function painted(): Promise<void> {
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
}
