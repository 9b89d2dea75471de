"""A second authorization server for the journeys: PyPI's authlib in Flask, with rotation and reuse detection.

Three clients: a public one, and confidential ones that authenticate by HTTP Basic and in the form. A refresh token works once; if
it is used again, every token of its family is revoked (RFC 9700 section 4.14.2).

Usage: server.py REDIRECT_URI…   Prints one line of JSON when it is ready: {"issuer"}.
"""

import html
import json
import os
import secrets
import sys
import threading
import time
from dataclasses import dataclass, field

# authlib refuses plain http, which only this test on loopback uses.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector, current_token
from authlib.oauth2.rfc6749 import ClientMixin, OAuth2Error, TokenMixin, grants
from authlib.oauth2.rfc6749.util import list_to_scope, scope_to_list
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from flask import Flask, jsonify, redirect, request
from werkzeug.serving import make_server

PEOPLE = {"ada": "Ada Lovelace", "grace": "Grace Hopper"}
REDIRECT_URIS = sys.argv[1:]
AUTH_METHODS = ["client_secret_basic", "client_secret_post", "none"]
lifetime = 3600
counters: dict[str, int] = {}


@dataclass
class Client(ClientMixin):
    client_id: str
    auth_method: str
    secret: str = ""

    def get_client_id(self):
        return self.client_id

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return list_to_scope([s for s in scope_to_list(scope or "") if s in ("profile", "offline_access")])

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri in REDIRECT_URIS

    def check_client_secret(self, client_secret):
        return bool(self.secret) and secrets.compare_digest(self.secret.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method, endpoint):
        return method == self.auth_method

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return grant_type in ("authorization_code", "refresh_token")


@dataclass
class Code:
    client_id: str
    redirect_uri: str
    scope: str
    user: str
    code_challenge: str | None
    code_challenge_method: str | None

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope


@dataclass
class Token(TokenMixin):
    client_id: str
    user: str
    scope: str
    family: str
    expires_in: int
    issued_at: float = field(default_factory=time.time)
    revoked: bool = False
    # Whether its refresh token has been used.
    used: bool = False

    def check_client(self, client):
        return self.client_id == client.client_id

    def get_scope(self):
        return self.scope

    def get_expires_in(self):
        return self.expires_in

    def is_expired(self):
        return self.issued_at + self.expires_in < time.time()

    def is_revoked(self):
        return self.revoked

    def get_user(self):
        return self.user

    def get_client(self):
        return clients[self.client_id]


clients = {
    client.client_id: client
    for client in (
        Client("public", "none"),
        # Characters that must be form-encoded in the Basic header (RFC 6749 section 2.3.1) and in the form.
        Client("basic", "client_secret_basic", "basic/secret+with=signs&more"),
        Client("post", "client_secret_post", "post/secret+with=signs&more"),
    )
}
codes: dict[str, Code] = {}
by_access: dict[str, Token] = {}
by_refresh: dict[str, Token] = {}


def revoke_family(family):
    for token in by_refresh.values():
        if token.family == family:
            token.revoked = True


class AuthorizationCodeGrant(grants.AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def save_authorization_code(self, code, request):
        data = request.payload.data
        challenge = (data.get("code_challenge"), data.get("code_challenge_method"))
        codes[code] = Code(request.client.client_id, request.payload.redirect_uri, request.scope, request.user, *challenge)

    def query_authorization_code(self, code, client):
        found = codes.get(code)
        return found if found and found.client_id == client.client_id else None

    def delete_authorization_code(self, authorization_code):
        codes.update({code: None for code, found in codes.items() if found is authorization_code})

    def authenticate_user(self, authorization_code):
        return authorization_code.user


class RefreshTokenGrant(grants.RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token):
        token = by_refresh.get(refresh_token)
        if token and token.used:
            count("reuse")
            revoke_family(token.family)
        return token if token and not token.revoked else None

    def authenticate_user(self, refresh_token):
        return refresh_token.user

    def revoke_old_credential(self, refresh_token):
        refresh_token.used = True


class Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS = AUTH_METHODS

    def query_token(self, token_string, token_type_hint):
        return by_refresh.get(token_string) or by_access.get(token_string)

    def revoke_token(self, token, request):
        revoke_family(token.family)


class Validator(BearerTokenValidator):
    def authenticate_token(self, token_string):
        return by_access.get(token_string)


def save_token(token, oauth_request):
    previous = getattr(oauth_request, "refresh_token", None)
    family = previous.family if isinstance(previous, Token) else secrets.token_hex(8)
    saved = Token(oauth_request.client.client_id, oauth_request.user, token.get("scope", ""), family, token["expires_in"])
    by_access[token["access_token"]] = saved
    by_refresh[token["refresh_token"]] = saved


changed = threading.Condition()


def count(what):
    with changed:
        counters[what] = counters.get(what, 0) + 1
        changed.notify_all()


app = Flask(__name__)
app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
server = AuthorizationServer(app, query_client=clients.get, save_token=save_token)
server.register_token_generator(
    "default",
    lambda client, grant_type, user, scope, expires_in=None, include_refresh_token=True: {
        "token_type": "Bearer",
        "access_token": secrets.token_urlsafe(32),
        "refresh_token": secrets.token_urlsafe(36),
        "expires_in": lifetime,
        "scope": scope,
    },
)
server.register_grant(AuthorizationCodeGrant, [CodeChallenge(required=True)])
server.register_grant(RefreshTokenGrant)
server.register_endpoint(Revocation)
require = ResourceProtector()
require.register_token_validator(Validator())


@app.get("/authorize")
def authorize_page():
    try:
        grant = server.get_consent_grant(end_user=None)
    except OAuth2Error as error:
        return server.handle_error_response(None, error)
    people = "".join(
        f'<button id="user-{who}" name="who" value="{who}">{name}</button>' for who, name in PEOPLE.items()
    )
    title = html.escape(grant.client.client_id)
    return f'<!doctype html><html lang="en"><title>Sign in</title><h1>Sign in for {title}</h1><form method="post">{people}</form></html>'


@app.post("/authorize")
def authorize():
    return server.create_authorization_response(grant_user=request.form["who"])


@app.post("/token")
def issue_token():
    response = server.create_token_response()
    answer = json.loads(response.get_data())
    client = request.authorization.username if request.authorization else request.form.get("client_id")
    count(f"{client}.{request.form.get('grant_type')}.{answer.get('error', 'ok')}")
    return response


@app.post("/revoke")
def revoke():
    return server.create_endpoint_response(Revocation.ENDPOINT_NAME)


@app.get("/me")
@require()
def me():
    return jsonify(id=current_token.user, name=PEOPLE[current_token.user])


@app.get("/control/counters")
def get_counters():
    return jsonify(counters)


@app.get("/control/lifetime/<int:seconds>")
def set_lifetime(seconds):
    global lifetime
    lifetime = seconds
    return jsonify(counters)


@app.get("/control/wait/<what>/<int:least>")
def wait(what, least):
    with changed:
        changed.wait_for(lambda: counters.get(what, 0) >= least, timeout=60)
    return jsonify(counters)


listener = make_server("127.0.0.1", 0, app, threaded=True)
print(json.dumps({"issuer": f"http://127.0.0.1:{listener.server_port}"}), flush=True)
listener.serve_forever()
