"""Requests that no page of ours sends, thrown at every address; what answers 500 is a mistake."""

import re
from urllib.parse import quote_from_bytes

from django.http import QueryDict
from django.test.client import ClientHandler

HUGE = "9" * 25  # no column holds it
# What only some database refuses: numbers too large for it, NUL, what is no text at all.
HARD = tuple(
    value.encode(errors="surrogatepass")
    for value in (
        str(2**31),
        str(2**63),
        HUGE,
        f"{HUGE}~{HUGE}",
        "nan~1",
        "\x00",
        "a\x00b",
        "\ud800",
    )
)
ODD = ("", "abc", "-1", "0", "1.5", "1e999", "nan", "inf", "²", "٣", "~", "[]", "{}", "null", "__")
ODD += ("0.5~1", "-confidence", "user__password", "'\"><script>", "%s %(x)s {0}", "../../etc")
ODD += ("9" * 5000, f"-{HUGE}", "x" * 20_000, "\ufeff\u202e")
VALUES = (*HARD, *(value.encode() for value in ODD), b"\xff\xfe", b"%ff")
# With these the other parameters are understood, so that the odd one is looked at.
GOOD = {
    **{"measure": "confidence", "low": "0", "high": "1", "page": "1", "sort": "confidence"},
    **{"between": "people", "role": "annotator", "name": "A name", "username": "eve"},
}
FAR = (0, 2**31, 2**63 - 1, 2**63, int(HUGE))
ENOUGH = 40  # names that one view reads; only a view that reads everything reads more


class Reading(QueryDict):
    """Parameters that notice which of them are asked for, also by forms and in copies."""

    names: set[str] = set()

    def __getitem__(self, key):
        self.names.add(key)
        return super().__getitem__(key)

    def get(self, key, default=None):
        self.names.add(key)
        return super().get(key, default)

    def getlist(self, key, default=None):
        self.names.add(key)
        return super().getlist(key, default)

    def __contains__(self, key):
        self.names.add(key)
        return super().__contains__(key)


class Handler(ClientHandler):
    def get_response(self, request):
        for name in ("GET", "POST"):
            sent = getattr(request, name)
            read = Reading(mutable=True, encoding=sent.encoding)
            for key, values in sent.lists():
                read.setlist(key, values)
            setattr(request, name, read)
        return super().get_response(request)


def client_of(world, role):
    client = world.client(role)
    client.handler = Handler(enforce_csrf_checks=False)
    client.raise_request_exception = False
    return client


def joined(parameters):
    pairs = ((quote_from_bytes(name.encode()), value) for name, value in parameters.items())
    return "&".join(f"{name}={quote_from_bytes(value)}" for name, value in pairs)


def far_paths(path):
    """The address with each of its numbers replaced by some that no row has."""
    for match in re.finditer(r"\d+", path):
        for number in FAR:
            yield f"{path[: match.start()]}{number}{path[match.end() :]}"


class Thrower:
    """Throws at one address as one role, and keeps what answered 500."""

    def __init__(self, world, route, role):
        self.client, self.path, self.role = client_of(world, role), world.path(route, role), role
        self.failures = []

    def ask(self, path, query="", body=None):
        if body is None:
            response = self.client.get(path, QUERY_STRING=query)
        else:
            kind = {"content_type": "application/x-www-form-urlencoded"}
            response = self.client.post(path, body, **kind)
        response.getvalue()  # reads a streamed file to its end, which closes it
        if response.status_code >= 500:
            said = f"{'GET' if body is None else 'POST'} {path} as {self.role}: {query or body}"
            self.failures.append(f"{said[:300]} -> {error_of(response)}")
        return response.status_code

    def names(self, send):
        """What the view reads; asked twice, for some names are read only where others are said."""
        Reading.names.clear()
        send("")
        send(joined({name: GOOD.get(name, "1").encode() for name in sorted(Reading.names)}))
        found = sorted(Reading.names - {"csrfmiddlewaretoken"})
        return found[:ENOUGH]

    def get(self, values):
        if self.ask(self.path) == 405:
            return
        names = self.names(lambda query: self.ask(self.path, query))
        for query in odd(names, values):
            self.ask(self.path, query)
        for path in far_paths(self.path):
            self.ask(path)

    def post(self, values):
        if self.ask(self.path, body="") == 405:
            return
        names = self.names(lambda body: self.ask(self.path, body=body))
        for body in odd(names, values):
            self.ask(self.path, body=body)
        for path in far_paths(self.path):
            self.ask(path, body="")


def odd(names, values):
    """Each value in all parameters at once, and in each alone amid understood ones."""
    good = {name: GOOD.get(name, "1").encode() for name in names}
    for value in values:
        yield joined(dict.fromkeys(names, value))
        for name in names:
            yield joined({**good, name: value})


def error_of(response):
    kind, error, trace = response.exc_info
    while trace.tb_next:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return f"{kind.__name__}: {str(error)[:120]} ({code.co_filename}:{trace.tb_lineno})"


def failures(world, route, role, values=VALUES):
    thrower = Thrower(world, route, role)
    thrower.get(values)
    thrower.post(values)
    return thrower.failures
