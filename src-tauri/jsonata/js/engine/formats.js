// The functions for documents and formats, and what they need, which is half of everything: loaded when an expression uses one.
import { registerAiExtensions, registerDataFormatsExtensions, registerHtmlExtensions, registerMarkdownExtensions } from '@truto/truto-jsonata';

globalThis.__engine.register(registerMarkdownExtensions, registerHtmlExtensions, registerDataFormatsExtensions, registerAiExtensions);
