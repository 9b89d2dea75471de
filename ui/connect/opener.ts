import type { Flow, FlowErrorType, Session } from './api';
import { isRefusal, needsLinkAgain, type ErrorView, type View } from './views';

/**
 * The message to the page that opened this one as a pop-up, or that shows it in a frame, as Truto’s Link SDK expects it (its
 * contract, section 2.1). It contains no secret.
 */
export interface LinkResult {
  is_truto: true;
  result: 'success' | 'error';
  error?: string;
  error_type?: FlowErrorType | 'invalid_token' | 'invalid_integration' | 'rapid_form_error';
  integration?: string;
  integrated_account_id?: string;
}

/** What the Link SDK expects in a frame when the person gives up. For a pop-up, closing it says the same. */
const GIVEN_UP = 'closed';

type Receiver = Pick<Window, 'postMessage'>;

/** The pages around this one, as far as they can be known. */
export interface EmbeddingContext {
  opener: Receiver | null;
  /** The page that shows this one in a frame. */
  frame: Receiver | null;
  referrer: string;
}

/** The surroundings of this window. */
export function embeddingContextOf(page: Window): EmbeddingContext {
  return {
    opener: page.opener as Window | null,
    frame: page.parent === page ? null : page.parent,
    referrer: page.document.referrer,
  };
}

/** Sends the first result, and no other: the Link SDK closes the pop-up or removes the frame when it gets one. */
export class OpenerReport {
  readonly #embedding: EmbeddingContext;
  #sent = false;

  constructor(embedding: EmbeddingContext) {
    this.#embedding = embedding;
  }

  get isFramed(): boolean {
    return this.#embedding.frame !== null;
  }

  send(result: LinkResult): void {
    this.#post(result);
  }

  /** The person closes the frame. */
  giveUp(): void {
    if (this.isFramed) this.#post(GIVEN_UP);
  }

  #post(message: LinkResult | typeof GIVEN_UP): void {
    const { opener, frame, referrer } = this.#embedding;
    const receiver = frame ?? opener;
    if (!receiver || this.#sent) return;
    this.#sent = true;
    // Only for the app that opened the pop-up, not for whatever its tab shows by now. An app that sends no referrer can’t be
    // told apart. It had the link token, which is worth more than the result.
    const target = URL.canParse(referrer) ? new URL(referrer).origin : '*';
    receiver.postMessage(message, target);
  }
}

function errorText({ title, message }: Pick<ErrorView, 'title' | 'message'>): string {
  return [title && `${title}.`, message].filter(Boolean).join(' ');
}

/** Why a form can’t be filled in. Without the account’s ID, as Truto sends it. */
export function formError(
  error: Pick<ErrorView, 'title' | 'message'>,
  integration: string | null,
): LinkResult {
  return {
    is_truto: true,
    result: 'error',
    error: errorText(error),
    error_type: 'rapid_form_error',
    ...(integration === null ? {} : { integration }),
  };
}

/** How a flow ended; null while it runs. */
function flowResult(flow: Flow, session: Session | null): LinkResult | null {
  const { integration, error, outcome } = flow;
  if (flow.phase === 'succeeded') {
    const integrated_account_id = outcome?.account.id ?? '';
    if (!outcome?.kept_old) return { is_truto: true, result: 'success', integration, integrated_account_id };
    return {
      is_truto: true,
      result: 'error',
      error: 'The user kept the previous sign-in. Nothing was changed.',
      error_type: 'validation_error',
      integration,
      integrated_account_id,
    };
  }
  if (flow.phase !== 'failed' || !error) return null;
  const account =
    error.integrated_account_id ?? (error.error_type === 'validation_error' ? session?.account?.id : null);
  return {
    is_truto: true,
    result: 'error',
    error: errorText(error),
    error_type: error.error_type,
    integration,
    ...(account ? { integrated_account_id: account } : {}),
  };
}

/** The result that a view shows; null if it is none. */
export function viewResult(view: View, session: Session | null): LinkResult | null {
  if (view.at === 'flow') return flowResult(view.flow, session);
  if (view.at === 'form_saved') {
    const { integration, account } = view.session;
    return { is_truto: true, result: 'success', integration, integrated_account_id: account.id };
  }
  if (view.at === 'form_refused') return formError(view.error, view.integrationName);
  if (view.at === 'invalid_link' && (isRefusal(view.error.code) || needsLinkAgain(view.error.code))) {
    return { is_truto: true, result: 'error', error: errorText(view.error), error_type: 'invalid_token' };
  }
  if ((view.at === 'integrations' || view.at === 'nothing_offered') && view.missing !== null) {
    const error = `The integration ${view.missing} isn’t installed.`;
    const error_type = 'invalid_integration';
    return { is_truto: true, result: 'error', error, error_type, integration: view.missing };
  }
  return null;
}
