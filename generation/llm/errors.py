"""What an endpoint's refusal means, so that a caller knows whether to wait, to stop or to retry."""

import json
import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generation.llm.base import ErrorKind, LLMError
from generation.llm.completion import clean

MESSAGE_LENGTH = 300
OVERFLOW = re.compile(
    r"context.{0,12}(length|size|window)|maximum context|(prompt|input) is too long|too many tokens"
    r"|reduce the length|exceeds the maximum number of (input )?tokens"
    r"|`?inputs`? (tokens|must have less than)",
    re.IGNORECASE,
)
QUOTA = re.compile(r"insufficient_quota|exceeded your current quota|billing|credit", re.IGNORECASE)
REFUSED_PARAMETERS = (
    "max_completion_tokens",
    "max_tokens",
    "temperature",
    "top_p",
    "seed",
    "top_logprobs",
    "logprobs",
    "response_format",
)
BY_STATUS: dict[int, ErrorKind] = {
    401: "auth",
    402: "quota",
    403: "auth",
    404: "not_found",
    405: "not_found",
    408: "server",
    409: "server",
    413: "context_overflow",
    425: "server",
    429: "rate_limited",
}
HINTS: dict[ErrorKind, str] = {
    "rate_limited": gettext_lazy("The endpoint asks to slow down"),
    "quota": gettext_lazy("The account has no quota left; add credit, then go on"),
    "auth": gettext_lazy("The endpoint refuses the key; enter a valid one"),
    "not_found": gettext_lazy("The endpoint does not know this model or address; check both"),
    "bad_request": gettext_lazy("The endpoint refuses the request"),
    "context_overflow": gettext_lazy("The prompt is longer than this model can read"),
    "server": gettext_lazy("The endpoint failed"),
    "blocked": gettext_lazy(
        "The endpoint redirects, which is not followed; enter its final address"
    ),
}


def error_from(status: int, headers: Mapping[str, str], raw: str) -> LLMError:
    """The error behind an HTTP status of 300 and above."""
    error = _error_object(raw)
    said = clean(str(error.get("message") or "")[:MESSAGE_LENGTH])
    kind = _kind(status, error, said)
    parameter = _parameter(error, said) if kind == "bad_request" else ""
    message = f"{HINTS[kind]} (HTTP {status})" + (f": {said}" if said else ".")
    return LLMError(
        kind,
        _("It does not take the parameter “%(name)s”.") % {"name": parameter} + f" {message}"
        if parameter
        else message,
        status=status,
        sent=True,
        retry_after=retry_after(headers),
        parameter=parameter,
        request_id=clean(headers.get("x-request-id", ""))[:200],
        raw=raw,
    )


def _error_object(raw: str) -> dict[str, Any]:
    """OpenAI nests it in "error"; others put a message at the top, in "detail", or send a text."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(body, dict):
        return {}
    error = body.get("error", body)
    if isinstance(error, str):
        return {"message": error}
    if not isinstance(error, dict):
        return {}
    return error if "message" in error else error | {"message": error.get("detail")}


def _kind(status: int, error: Mapping[str, Any], said: str) -> ErrorKind:
    code = f"{error.get('code')} {error.get('type')}"
    if status < 400:
        return "blocked"
    if status in (429, 403) and QUOTA.search(f"{code} {said}"):
        return "quota"
    if status in (400, 422, 500) and OVERFLOW.search(f"{code} {said}"):
        return "context_overflow"
    if status in BY_STATUS:
        return BY_STATUS[status]
    return "server" if status >= 500 else "bad_request"


def _parameter(error: Mapping[str, Any], said: str) -> str:
    """The parameter that is refused: the named one, else the first that the message mentions
    ("max_tokens is not supported, use max_completion_tokens")."""
    if isinstance(named := error.get("param"), str) and named:
        return named.split(".")[0] if named.split(".")[0] in REFUSED_PARAMETERS else ""
    mentioned = re.search(rf"\b(?:{'|'.join(REFUSED_PARAMETERS)})\b", said)
    return mentioned[0] if mentioned else ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from retry-after-ms, or Retry-After in seconds or as a date; else None."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    seconds = _number(value)
    return seconds if seconds is not None else _until(value, headers.get("date", ""))


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return max(number, 0.0) if math.isfinite(number) else None


def _until(text: str, now: str) -> float | None:
    """Seconds until an HTTP date, by the endpoint's own clock where it tells the time."""
    try:
        then = parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None
    try:
        start = parsedate_to_datetime(now).timestamp()
    except ValueError:
        start = time.time()
    return max(then - start, 0.0)
