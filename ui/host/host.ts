import type { Change, Commands, Destination, ErrorView } from './types';

export type Command = keyof Commands;
export type Args<C extends Command> = Commands[C][0];
export type Output<C extends Command> = Commands[C][1];

export interface Host {
  invoke<C extends Command>(command: C, ...args: Args<C> extends void ? [] : [Args<C>]): Promise<Output<C>>;
  /** Calls back with every change until the function that it returns is called. */
  onChanged(listener: (change: Change) => void): () => void;
  /** Calls back when the window is sent somewhere: by a notification, the tray, a second start. */
  onShow(listener: (destination: Destination) => void): () => void;
}

/** Why Relink could not do something. `invoke` rejects with this error. */
export class HostError extends Error implements ErrorView {
  readonly code: string;
  readonly title: string;
  readonly hint: string | null;
  readonly field: string | null;

  constructor(error: ErrorView) {
    super(error.message);
    this.name = 'HostError';
    this.code = error.code;
    this.title = error.title;
    this.hint = error.hint;
    this.field = error.field;
  }
}

/** Whatever was thrown, as an error that can be shown. */
export function errorViewOf(thrown: unknown): ErrorView {
  if (thrown instanceof HostError) {
    const { code, title, message, hint, field } = thrown;
    return { code, title, message, hint, field };
  }
  return {
    code: 'internal',
    title: 'Something went wrong',
    message: 'The window ran into an unexpected error. Nothing was lost.',
    hint: 'Try again. If it keeps happening, please report it.',
    field: null,
  };
}
