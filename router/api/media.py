"""In what form a request's body is, by its headers."""

from email.message import Message

from starlette.requests import Request

from router.api.errors import MediaTypeUnsupported

JSON = "application/json"
# What is in US-ASCII is in UTF-8.
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})
# The library's parser takes time by the square of a quotation's length.
_LENGTH_MAX = 256


def media_type(request: Request) -> str:
    """The media type in lower case, "" where none is named.

    Raises MediaTypeUnsupported for what would change what the bytes mean: a content coding (RFC 9110 section 8.4), a charset other than
    UTF-8, a CSV file without its line of column names (`header=absent`, RFC 4180 section 3).
    """
    given = request.headers.get("content-type", "")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise MediaTypeUnsupported("The body has a Content-Encoding; send it as it is.")
    if given == JSON:
        return JSON
    if len(given) > _LENGTH_MAX:
        raise MediaTypeUnsupported(f"The Content-Type is longer than {_LENGTH_MAX} characters.")
    message = Message()
    message["content-type"] = given
    given_parameters = message.get_params([])[1:]
    if any(not isinstance(value, str) for _, value in given_parameters):
        # RFC 2231: in a charset and a language of its own. No parameter of ours needs one.
        raise MediaTypeUnsupported(
            "A parameter of the Content-Type is in the extended form (name*=); write it plainly."
        )
    parameters = {name.lower(): value.strip().lower() for name, value in given_parameters}
    if parameters.get("charset", "utf-8") not in _CHARSETS:
        raise MediaTypeUnsupported("The Content-Type names another charset than utf-8; send the body in UTF-8.")
    if parameters.get("header", "present") != "present":
        raise MediaTypeUnsupported("Send CSV with its line of column names.")
    return given.partition(";")[0].strip().lower()


def is_json(kind: str) -> bool:
    return kind == JSON or (kind.startswith("application/") and kind.endswith("+json"))
