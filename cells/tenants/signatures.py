"""A signed request: HTTP Message Signatures (RFC 9421) with `hmac-sha256`, and Content-Digest (RFC 9530), in one profile. Pure.

    Content-Digest: sha-256=:<base64 of the SHA-256 of the raw body>:
    Signature-Input: sig1=("@method" "@path" "@query" "content-digest" "idempotency-key");created=1795245139;keyid="key_…";nonce="…"
    Signature: sig1=:<base64 of HMAC-SHA-256 of the signature base, with the secret as it was shown>:

`@method`, `@path` and `@query` are always covered, `content-digest` where there is a body, `idempotency-key` where it is sent: an
altered key would let the sender's own repetition pay again. More fields may be covered. There is one signature.

The wire is the standard's, so that any library for it signs; the checking is ours. The one for Python takes 200 microseconds a
request, more than an empty route, because it reads every form that the standard allows. This one takes what a signer must write
(RFC 9421 section 2.5: strict serialisation) and copies it into the base as it stands.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import NamedTuple

from residency.errors import KovraError

WINDOW_S = 300
_INPUT = re.compile(
    r'(?P<label>[a-z*][a-z0-9_.*-]{0,31})=(?P<params>\((?P<covered>"[a-z0-9@-]{1,64}"(?: "[a-z0-9@-]{1,64}"){0,15})\)'
    r'(?P<rest>(?:;[a-z]{3,8}=(?:[0-9]{1,12}|"[\x20\x21\x23-\x5b\x5d-\x7e]{1,128}")){1,6}))'
)
_PARAMETER = re.compile(r';([a-z]+)=(?:([0-9]+)|"([^"]*)")')
_KNOWN = frozenset({"created", "expires", "keyid", "nonce", "alg", "tag"})
_ALWAYS = frozenset({"@method", "@path", "@query"})
_ALGORITHM = "hmac-sha256"
_SIGNATURE_LENGTH = 46  # 32 bytes in base64, between colons
_SHA_256 = re.compile(r"(?:^|,[ \t]*)sha-256=:([A-Za-z0-9+/]{43}=):(?=[ \t]*(?:,|$))")


class SignatureInvalid(KovraError):
    """Its parts may be missing or malformed, its key unknown or revoked, or what was signed is not what came."""

    code = "signature-invalid"
    status = 401
    title = "The request's signature does not hold"


class SignatureExpired(KovraError):
    """`created` must be within five minutes of this cell's clock. Sign anew; the Idempotency-Key stays the same."""

    code = "signature-expired"
    status = 401
    title = "The request was signed too long ago, or in the future"


class NonceReplayed(KovraError):
    """Each signature has a nonce of its own. Sign anew; the Idempotency-Key stays the same."""

    code = "nonce-replayed"
    status = 401
    title = "A request with this nonce came before"


class SignedHead(NamedTuple):
    """What a request says of its signature. `params` as written: the last line of what was signed."""

    key_id: str
    created: int
    nonce: str
    covered: tuple[str, ...]
    params: str
    signature: bytes

    @property
    def forgotten_at(self) -> int:
        """Unix seconds from which its nonce need not be remembered: it would be too old anyhow."""
        return self.created + WINDOW_S + 1


def read_head(signature_input: str, signature: str, now_s: float) -> SignedHead:
    """Raises SignatureInvalid, SignatureExpired."""
    match = _INPUT.fullmatch(signature_input)
    if match is None:
        raise SignatureInvalid("Signature-Input must be one signature, in the form that this API documents.")
    told = _PARAMETER.findall(match["rest"])
    found = {name: number or text for name, number, text in told}
    if not found.keys() <= _KNOWN or len(found) != len(told) or found.get("alg", _ALGORITHM) != _ALGORITHM:
        raise SignatureInvalid(
            f"Signature-Input has unknown parameters, one twice, or an algorithm that is not {_ALGORITHM}."
        )
    created, key_id, nonce = found.get("created", ""), found.get("keyid", ""), found.get("nonce", "")
    covered = tuple(match["covered"][1:-1].split('" "'))
    if not (created.isdigit() and key_id and nonce and set(covered) >= _ALWAYS) or len(set(covered)) != len(covered):
        raise SignatureInvalid("A signature covers @method, @path and @query, and has created, keyid and nonce.")
    expires = found.get("expires")
    if abs(now_s - int(created)) > WINDOW_S or (expires is not None and int(expires) < now_s):
        raise SignatureExpired
    label, _, value = signature.partition("=")
    if label != match["label"] or len(value) != _SIGNATURE_LENGTH or value[0] != ":" or value[-1] != ":":
        raise SignatureInvalid("Signature must hold one value, under the name that Signature-Input gives it.")
    return SignedHead(key_id, int(created), nonce, covered, match["params"], _bytes(value[1:-1]))


def text_to_sign(head: SignedHead, method: str, path: str, query: str, header: Callable[[str], str | None]) -> bytes:
    """The signature base (RFC 9421 section 2.5). `path` and `query` as they came over the wire. Raises SignatureInvalid."""
    derived = {"@method": method, "@path": path, "@query": f"?{query}"}
    lines = []
    for name in head.covered:
        value = derived.get(name) if name[0] == "@" else header(name)
        if value is None:
            raise SignatureInvalid(f"The signature covers {name}, which is not there.")
        lines.append(f'"{name}": {value.strip()}')
    lines.append(f'"@signature-params": {head.params}')
    return "\n".join(lines).encode("latin-1")


def signs(secret: bytes, text: bytes, signature: bytes) -> bool:
    """Whether `signature` is that of `text`, in constant time."""
    return hmac.compare_digest(hmac.digest(secret, text, "sha256"), signature)


def check_body(head: SignedHead, content_digest: str | None, body: bytes) -> None:
    """The body is the one that was signed. Raises SignatureInvalid."""
    if "content-digest" not in head.covered:
        if body:
            raise SignatureInvalid("The request has a body, and its signature does not cover content-digest.")
        return
    digests = _SHA_256.findall(content_digest or "")
    if len(digests) != 1 or not hmac.compare_digest(_bytes(digests[0]), hashlib.sha256(body).digest()):
        raise SignatureInvalid("Content-Digest is not the SHA-256 of the body that came.")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise SignatureInvalid("A digest or signature is not base64.") from None
