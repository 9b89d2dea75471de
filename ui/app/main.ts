import '../tokens.css';
import '../lib/base.css';
import { mount, tick } from 'svelte';
import { tauri } from '../host/tauri';
import App from './App.svelte';

const page = document.getElementById('page');
if (!page) throw new Error('index.html has no #page');
mount(App, { target: page, props: { host: tauri } });

/** Reports that the page can be shown, with its first data: the request comes after those of the page. */
async function reportReady(): Promise<void> {
  await tick();
  await tauri.invoke('overview').catch(() => undefined);
  await tick();
  await tauri.invoke('page_ready');
}
void reportReady();
