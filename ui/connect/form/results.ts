import { Problem, type FormSession } from '../api';
import { formError, type LinkResult } from '../opener';
import { malformedParameter, NO_FORM } from '../texts';
import { openable } from '../urls';
import type { ErrorView, View } from '../views';
import type { FormParameters } from './parameters';
import type { FormEvents } from './rapid-form';

/** What a form needs of the page that shows it. */
export interface FormPage {
  /** Whether the form follows a sign-in, whose flow says what comes next. */
  followsSignIn(): boolean;
  /** Where the browser goes after the sign-in, whatever becomes of its form. */
  onward(): string | null;
  show(view: View): void;
  report(result: LinkResult): void;
  /** Leaves the page, once its text could be read. */
  leaveLater(url: string): void;
}

/** Shows what becomes of a form, and says it to the app that opened the page. */
export class FormResults implements FormEvents {
  readonly #page: FormPage;

  constructor(page: FormPage) {
    this.#page = page;
  }

  /** Shows the form that the page’s URL is for. */
  open(token: string | null, { malformed }: FormParameters): void {
    if (token === null) this.refused(new Problem(NO_FORM), null);
    else if (malformed !== null) this.refused(new Problem(malformedParameter(malformed)), null);
    else this.#page.show({ at: 'rapid_form', token, signedIn: false });
  }

  refused({ code, title, message, hint, field }: ErrorView, integrationName: string | null): void {
    // Another page was quicker, as the flow’s next answer says.
    if (code === 'form_submitted' && this.#page.followsSignIn()) return;
    this.#page.show({ at: 'form_refused', error: { code, title, message, hint, field }, integrationName });
    const onward = this.#page.followsSignIn() ? this.#page.onward() : null;
    if (onward !== null) this.#page.leaveLater(onward);
  }

  optionsFailed(error: ErrorView, integration: string): void {
    this.#page.report(formError(error, integration));
  }

  saved(session: FormSession, redirectUri: string | null): void {
    if (this.#page.followsSignIn()) return;
    const onward = openable(redirectUri);
    this.#page.show({ at: 'form_saved', session, onward });
    if (onward !== null) this.#page.leaveLater(onward);
  }
}
