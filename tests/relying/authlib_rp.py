"""A relying party made of Authlib, which nobody here wrote, and a second look at the tokens by joserfc, which knows the key
set and nothing else. Arguments: the issuer, the client's id and secret, a port."""

import html
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlencode, urlsplit

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

ISSUER, CLIENT, SECRET, PORT = sys.argv[1:5]
OWN = f"http://127.0.0.1:{PORT}"
PROVIDER = requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=30).json()
SCOPE = "openid profile school offline_access"
WAITING = {}


def session(**more):
    return OAuth2Session(
        CLIENT, SECRET, scope=SCOPE, redirect_uri=f"{OWN}/cb", code_challenge_method="S256",
        token_endpoint_auth_method="client_secret_post", **more
    )


def begin():
    WAITING["verifier"] = generate_token(48)
    WAITING["nonce"] = generate_token(20)
    url, WAITING["state"] = session().create_authorization_url(
        PROVIDER["authorization_endpoint"], code_verifier=WAITING["verifier"], nonce=WAITING["nonce"]
    )
    return url


def proved(token):
    keys = KeySet.import_key_set(requests.get(PROVIDER["jwks_uri"], timeout=30).json())
    return jwt.decode(token, keys, algorithms=["EdDSA"])


def finish(path):
    client = session(state=WAITING["state"])
    token = client.fetch_token(
        PROVIDER["token_endpoint"], authorization_response=OWN + path, code_verifier=WAITING["verifier"]
    )
    decoded = proved(token["id_token"])
    rules = {"iss": {"values": [ISSUER]}, "aud": {"values": [CLIENT]}}
    params = {"nonce": WAITING["nonce"], "client_id": CLIENT, "access_token": token["access_token"]}
    CodeIDToken(decoded.claims, decoded.header, rules, params).validate()
    user = client.get(PROVIDER["userinfo_endpoint"]).json()
    refreshed = client.refresh_token(PROVIDER["token_endpoint"], token["refresh_token"])
    again = client.get(PROVIDER["userinfo_endpoint"]).json()
    WAITING["token"] = dict(refreshed, id_token=token["id_token"])
    told = client.introspect_token(PROVIDER["introspection_endpoint"], token=refreshed["access_token"]).json()
    return {
        "user": user, "same": again["sub"] == user["sub"], "alg": decoded.header["alg"], "active": told["active"],
        "rotated": refreshed["refresh_token"] != token["refresh_token"],
    }


def leave():
    token = WAITING["token"]["refresh_token"]
    session().revoke_token(PROVIDER["revocation_endpoint"], token=token).raise_for_status()
    fields = {"grant_type": "refresh_token", "refresh_token": token, "client_id": CLIENT, "client_secret": SECRET}
    after = requests.post(PROVIDER["token_endpoint"], data=fields, timeout=30).json()
    return {"signed_out": True, "after": after["error"]}


class Pages(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            path = urlsplit(self.path).path
            if path == "/":
                return self.go(begin())
            if path == "/logout":
                wish = {"id_token_hint": WAITING["token"]["id_token"], "post_logout_redirect_uri": f"{OWN}/bye"}
                return self.go(f"{PROVIDER['end_session_endpoint']}?{urlencode(wish)}")
            if path not in ("/cb", "/bye"):
                return self.send_error(404)
            self.page(finish(self.path) if path == "/cb" else leave())
        except Exception as e:
            self.page({"failed": repr(e)})

    def go(self, url):
        self.send_response(302)
        self.send_header("location", url)
        self.end_headers()

    def page(self, value):
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(f'<pre id="result">{html.escape(json.dumps(value))}</pre>'.encode())

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", int(PORT)), Pages)
print(f"listening on {OWN}", flush=True)
server.serve_forever()
