import type { Host } from '../../host/host';
import { Live } from '../live.svelte';

/** The folder that jobs may write to. Without one, `path` is `null`; before it is known, there is no value. */
export function folderOf(host: Host): Live<{ path: string | null }> {
  const folder = new Live(async () => ({ path: await host.invoke('sync_folder') }));
  void folder.reload();
  return folder;
}
