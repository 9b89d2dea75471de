import { mount, type Component } from 'svelte';

/** Mounts a page’s root component in its `#page` element. */
export function mountPage(root: Component): void {
  const target = document.getElementById('page');
  if (!target) throw new Error('index.html has no #page element');
  mount(root, { target });
}
