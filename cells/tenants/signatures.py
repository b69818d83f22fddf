"""A signed request: HTTP Message Signatures (RFC 9421) with `hmac-sha256`, and Content-Digest (RFC 9530), in one profile. Pure.

    Content-Digest: sha-256=:<base64 of the SHA-256 of the raw body>:
    Signature-Input: sig1=("@method" "@path" "@query" "content-digest" "idempotency-key");created=1795245139;keyid="key_…";nonce="…"
    Signature: sig1=:<base64 of HMAC-SHA-256 of the signature base, with the key of the region>:

`@method`, `@path` and `@query` are always covered, `content-digest` where there is a body, `idempotency-key` where it is sent: an
altered key would let the sender's own repetition pay again. More fields may be covered, and `@authority`; a field on several lines is covered
as one (section 2.1). Of several signatures (section 4: a proxy may add its own) ours is the one whose keyid is a key's id.

What signs is no secret as shown but, for each region, a key derived from it (`key_for`): a request signed for one region is good in no other, and
what one cell holds signs nothing elsewhere.

The wire is the standard's, so that any library for it signs; the checking is ours. The one for Python takes 200 microseconds a
request, more than an empty route, because it reads every form that the standard allows. This one takes what a signer must write
(RFC 9421 section 2.5: strict serialisation) and copies it into the base as it stands.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import NamedTuple

from cells.tenants.keys import is_key_id
from residency.errors import KovraError

WINDOW_S = 300
_INPUT = re.compile(
    r'(?P<label>[a-z*][a-z0-9_.*-]{0,31})=(?P<params>\((?P<covered>"[a-z0-9@-]{1,64}"(?: "[a-z0-9@-]{1,64}"){0,15})\)'
    r'(?P<rest>(?:;[a-z]{3,8}=(?:[0-9]{1,12}|"[\x20\x21\x23-\x5b\x5d-\x7e]{1,128}")){1,6}))'
)
_PARAMETER = re.compile(r';([a-z]+)=(?:([0-9]+)|"([^"]*)")')
# A member of a dictionary (RFC 9651 section 3.2), commas within strings included; a string that does not end runs to the end. Linear.
_MEMBER = re.compile(r'(?:[^",]++|"(?:[^"\\]++|\\.)*+(?:"|\Z|\\\Z))++')
_KEY_ID = re.compile(r';keyid="([^"\\]*)"')
_NUMBERS, _TEXTS = frozenset({"created", "expires"}), frozenset({"keyid", "nonce", "alg", "tag"})
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


def key_for(region: str, secret: str) -> bytes:
    """What signs requests to `region`: HMAC-SHA-256 of `kovra-signature:<region>` under the secret as it was shown."""
    return hmac.digest(secret.encode(), f"kovra-signature:{region}".encode(), "sha256")


def read_head(signature_input: str, signature: str, now_s: float) -> SignedHead:
    """Our signature of those that two headers hold. Raises SignatureInvalid, SignatureExpired."""
    match = _INPUT.fullmatch(_ours(signature_input))
    if match is None:
        raise SignatureInvalid("Signature-Input has no signature in the form that this API documents.")
    told = _PARAMETER.findall(match["rest"])
    numbers, texts = {name: number for name, number, _ in told if number}, {name: text for name, _, text in told}
    texts = {name: text for name, text in texts.items() if name not in numbers}
    if not (numbers.keys() <= _NUMBERS and texts.keys() <= _TEXTS) or len(numbers) + len(texts) != len(told):
        raise SignatureInvalid("Signature-Input has a parameter that is unknown, there twice, or of another type.")
    if texts.get("alg", _ALGORITHM) != _ALGORITHM:
        raise SignatureInvalid(f"The algorithm is {_ALGORITHM}.")
    created, key_id, nonce = numbers.get("created"), texts.get("keyid", ""), texts.get("nonce", "")
    covered = tuple(match["covered"][1:-1].split('" "'))
    if created is None or not nonce or not set(covered) >= _ALWAYS or len(set(covered)) != len(covered):
        raise SignatureInvalid("A signature covers @method, @path and @query, and has created, keyid and nonce.")
    if not is_key_id(key_id):
        raise SignatureInvalid("The keyid of a signature is the id of a key, as it was shown with its secret: key_….")
    if abs(now_s - int(created)) > WINDOW_S or ("expires" in numbers and int(numbers["expires"]) < now_s):
        raise SignatureExpired
    value = _members(signature, "Signature").get(match["label"], "").partition("=")[2]
    if len(value) != _SIGNATURE_LENGTH or value[0] != ":" or value[-1] != ":":
        raise SignatureInvalid("Signature must hold a value under the name that Signature-Input gives it.")
    return SignedHead(key_id, int(created), nonce, covered, match["params"], _bytes(value[1:-1]))


def text_to_sign(
    head: SignedHead, method: str, path: str, query: str, header: Callable[[str], str | None], authority: str = ""
) -> bytes:
    """The signature base (RFC 9421 section 2.5). `path` and `query` as they came over the wire. Raises SignatureInvalid."""
    derived = {"@method": method, "@path": path, "@query": f"?{query}", "@authority": authority}
    lines = []
    for name in head.covered:
        value = derived.get(name) if name[0] == "@" else header(name)
        if value is None:
            raise SignatureInvalid(f"The signature covers {name}, which is not there.")
        lines.append(f'"{name}": {value}')
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


def _ours(signature_input: str) -> str:
    """The member whose keyid is a key's id; the only one, where there is one. Raises SignatureInvalid."""
    members = list(_members(signature_input, "Signature-Input").values())
    if len(members) > 1:
        members = [one for one in members if any(is_key_id(found) for found in _KEY_ID.findall(one))]
    if len(members) != 1:
        raise SignatureInvalid("One signature, and no more, has the id of one of your keys as its keyid.")
    return members[0]


def _members(field: str, name: str) -> dict[str, str]:
    """A dictionary's members as they are written, by their labels. Raises SignatureInvalid for one that is there twice."""
    members = [one.strip(" \t") for one in _MEMBER.findall(field)]
    found = {one.partition("=")[0]: one for one in members}
    if len(found) != len(members):
        raise SignatureInvalid(f"{name} has a signature's name twice.")
    return found


def _bytes(text: str) -> bytes:
    try:
        # ValueError: for what is not ASCII, too.
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise SignatureInvalid("A digest or signature is not base64.") from None
