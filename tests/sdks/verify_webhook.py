"""Verifies a delivery as its receiver would: verify_webhook.py base64|hex, with {"secret", "headers", "body"} on standard input.
Prints as JSON what two verifiers say: the library `standardwebhooks`, and a handler as programs for Truto have it, which splits
the header at `v=`. Of each also what it says of a body with one changed byte."""

import base64
import hashlib
import hmac
import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def standard(secret: str, headers: dict[str, str], body: bytes) -> bool:
    try:
        return Webhook(secret.encode()).verify(body, headers)["event_type"] == json.loads(body)["event"]
    except WebhookVerificationError:
        return False


def truto(secret: str, headers: dict[str, str], body: bytes) -> bool:
    scheme, signature = headers["x-truto-signature"].split("v=")
    mac = hmac.new(secret.encode(), body, hashlib.sha256)
    if sys.argv[1] == "hex":
        return scheme == "format=sha256," and hmac.compare_digest(signature, mac.hexdigest())
    return scheme == "format=sha256," and hmac.compare_digest(base64.b64decode(signature), mac.digest())


delivery = json.load(sys.stdin)
secret, headers, body = delivery["secret"], delivery["headers"], delivery["body"].encode()
changed = body.replace(b'"event_type"', b'"event_tYpe"')
assert changed != body
print(
    json.dumps(
        {
            "standard": [standard(secret, headers, each) for each in (body, changed)],
            "truto": [truto(secret, headers, each) for each in (body, changed)],
        }
    )
)
