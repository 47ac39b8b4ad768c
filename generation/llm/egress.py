"""The egress guard: which hosts may be reached, and that the address is what the name promised.

Every outbound connection resolves here, once, and goes to an address that was checked here. Between
check and connect no second look-up happens, so that a name cannot change its mind.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from generation.llm.base import LLMError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

DEFAULT_PORTS = {"http": 80, "https": 443}
# Refused even when listed: addresses that stand for others (NAT64, 6to4, Teredo, mapped and
# compatible IPv4), that reach many or nobody, or that serve cloud credentials. Python calls some of
# these global: 192.88.99.1 is_global is True.
NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "169.254.0.0/16", "192.88.99.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16"),
        *("fe80::/10", "ff00::/8"),
    )
)
LOOPBACK_6 = ipaddress.ip_address("::1")  # stands inside ::/96
# Forms such as 127.1, 2130706433, 0x7f.1 and 0177.0.0.1, which resolvers take for addresses.
NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """Where a URL leads, in normal form."""

    scheme: str
    host: str
    port: int


async def system_resolver(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class EgressGuard:
    """Allows what the list names and nothing else.

    An entry is `host` (the scheme's own port), `host:port`, `host:*` (any port) or a network such
    as `10.0.0.0/8`. A loopback or private address is reached only when it is listed itself, when
    the host is `localhost`, or when a listed network holds it: a listed public name that suddenly
    resolves to 127.0.0.1 is refused.
    """

    def __init__(self, allowed: Iterable[str], resolve: Resolver = system_resolver) -> None:
        self._resolve = resolve
        self._ports: dict[str, set[str]] = {}
        self._networks: list[Network] = []
        for entry in allowed:
            if "/" in entry:
                self._networks.append(ipaddress.ip_network(entry.strip()))
            else:
                host, port = _entry(entry)
                self._ports.setdefault(host, set()).add(port)

    def check_url(self, url: str) -> Target:
        """The target of a base URL; raises LLMError("blocked") that says what to change."""
        if re.search(r"[\x00-\x20\x7f\\]", url):
            raise _blocked("The address holds a space, a backslash or a control character.")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise _blocked("The address is not a valid URL.") from None
        if parts.scheme not in DEFAULT_PORTS:
            raise _blocked("The address must begin with http:// or https://.")
        if "@" in parts.netloc:
            raise _blocked("The address must not hold a user name or a password.")
        if parts.query or parts.fragment:
            raise _blocked("The address must end with its path, without ? or #.")
        target = Target(
            parts.scheme, _host(parts.hostname or ""), port or DEFAULT_PORTS[parts.scheme]
        )
        self._check_listed(target)
        return target

    def _check_listed(self, target: Target) -> None:
        ports = self._ports.get(target.host, set())
        own = str(target.port) if target.port != DEFAULT_PORTS[target.scheme] else ""
        if not ports & {own, str(target.port), "*"}:
            raise _blocked(
                f"{target.host}:{target.port} is not on this instance's list of allowed hosts."
            )
        if (address := _address(target.host)) is not None:
            self._check_address(target.host, address)

    async def addresses(self, host: str, port: int) -> list[str]:
        """Where to connect for a host; every address is checked, one bad one refuses them all."""
        host = _host(host)
        ports = self._ports.get(host, set())
        if not ports & {str(port), "*"} and not ("" in ports and port in DEFAULT_PORTS.values()):
            raise _blocked(f"{host}:{port} is not on this instance's list of allowed hosts.")
        if (literal := _address(host)) is not None:
            self._check_address(host, literal)
            return [str(literal)]
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise LLMError("transport", f"The name {host} could not be resolved.") from None
        if not found:
            raise LLMError("transport", f"The name {host} has no address.")
        for text in found:
            address = _address(text)
            if address is None:
                raise _blocked(f"{host} resolves to something that is no address.")
            self._check_address(host, address)
        return list(found)

    def _check_address(self, host: str, address: Address) -> None:
        if address != LOOPBACK_6 and any(address in network for network in NEVER):
            raise _blocked(f"{host} leads to {address}, which is never reached from here.")
        if address.is_global:
            return
        listed = host == str(address) or (host == "localhost" and address.is_loopback)
        if not listed and not any(address in network for network in self._networks):
            raise _blocked(
                f"{host} leads to {address}, a private address that this instance does not list."
            )


def _entry(entry: str) -> tuple[str, str]:
    """The host and port of a list entry; a missing port is ""."""
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\s\[\]]+)(?::(\d{1,5}|\*))?", entry.strip())
    if match is None:
        raise ValueError(f"“{entry}” is neither host, host:port, host:* nor a network.")
    return _host(match[1].strip("[]")), match[2] or ""


def _host(host: str) -> str:
    """A host in normal form; raises LLMError("blocked") for numbers in disguise."""
    host = host.lower().removesuffix(".")
    if (address := _address(host)) is not None:
        return str(address)
    if not host or NUMERIC.fullmatch(host.rpartition(".")[2]):
        raise _blocked("The host must be a name or a full address such as 127.0.0.1.")
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        raise _blocked("The host is not a valid name.") from None


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A scope such as fe80::1%eth0 compares unequal to what it is.
    return None if getattr(address, "scope_id", None) else address


def _blocked(message: str) -> LLMError:
    return LLMError("blocked", message)
