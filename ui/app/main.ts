import '../tokens.css';
import '../lib/base.css';
import { mount } from 'svelte';
import { tauri } from '../host/tauri';
import App from './App.svelte';

const page = document.getElementById('page');
if (!page) throw new Error('index.html has no #page');
mount(App, { target: page, props: { host: tauri } });
