import '../tokens.css';
import '../lib/base.css';
import { mountPage } from '../lib/mount';
import App from './App.svelte';

mountPage(App);
