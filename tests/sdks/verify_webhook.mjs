// Verifies a delivery as its receiver would: node verify_webhook.mjs base64|hex, with {"secret", "headers", "body"} on standard
// input. Prints as JSON what two verifiers say: the library `standardwebhooks`, and a handler as programs for Truto have it, which
// splits the header at `v=`. Of each also what it says of a body with one changed byte.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';

const { secret, headers, body } = JSON.parse(await text(process.stdin));

function standard(body) {
  try {
    const event = new Webhook(Buffer.from(secret).toString('base64')).verify(body, headers);
    return event.event_type === event.event;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}

function truto(body) {
  const [scheme, signature] = headers['x-truto-signature'].split('v=');
  const sent = Buffer.from(signature, process.argv[2]);
  const mac = createHmac('sha256', secret).update(body).digest();
  return scheme === 'format=sha256,' && sent.length === mac.length && timingSafeEqual(sent, mac);
}

const changed = body.replace('"event_type"', '"event_tYpe"');
if (changed === body) throw new Error('nothing was changed');
console.log(JSON.stringify({ standard: [standard(body), standard(changed)], truto: [truto(body), truto(changed)] }));
