let text = $state<string | null>(null);

/** A message above every page until it is dismissed: what an action that has succeeded leaves to do. */
export const announcement = {
  get text(): string | null {
    return text;
  },
  set text(value: string | null) {
    text = value;
  },
};
