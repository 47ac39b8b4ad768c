"""No connection is made to an address that the list does not allow: a listener counts."""

import datetime
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from generation.llm.base import LLMError, Message, Request
from generation.llm.egress import EgressGuard
from generation.llm.openai_client import Client
from tests.generation.loops import finish

REQUEST = Request((Message("user", "x"),), "m", 1)
PUBLIC = "8.8.8.8"


class Listener:
    """Counts the connections to a loopback port on which nothing should ever arrive."""

    def __enter__(self):
        self.hits = []
        self._socket = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()
        return self

    def _accept(self):
        while True:
            connection, peer = self._socket.accept()
            connection.close()
            if self._closing:
                return
            self.hits.append(peer)

    _closing = False

    def __exit__(self, *_):
        self._closing = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._socket.close()


@pytest.fixture
def listener():
    with Listener() as listener:
        yield listener


def resolver(*answers):
    """A resolver that gives one answer after the other and keeps to the last."""
    waiting = list(answers)

    async def resolve(host, port):
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    return resolve


def call(url, guard, deadline=3.0):
    async def run():
        async with Client(url, "sk-secret-key", deadline, guard) as client:
            return await client.ask(REQUEST)

    return finish(run())


def refused(url, guard):
    with pytest.raises(LLMError) as caught:
        call(url, guard)
    assert caught.value.kind == "blocked"
    assert caught.value.sent is False
    assert caught.value.permanent
    return caught.value.message


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1%25lo]",
        "0.0.0.0",
        "[::]",
        "100.64.0.1",
        "10.0.0.1",
        "192.168.0.1",
        "172.16.0.1",
        "169.254.169.254",
        "192.88.99.1",
        "224.0.0.1",
        "255.255.255.255",
        "metadata.example",
        "ⓛocalhost",
    ],
)
def test_a_host_that_is_not_listed_is_never_reached(listener, host):
    guard = EgressGuard(["api.example"], resolve=resolver(["127.0.0.1"]))
    assert refused(f"http://{host}:{listener.port}/v1", guard)
    assert listener.hits == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "0.0.0.0",
        "100.64.0.1",
        "10.0.0.1",
        "192.168.0.1",
        "172.16.0.1",
        "169.254.169.254",
        "192.88.99.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "fe80::1",
        "fe80::1%lo",
        "fc00::1",
        "ff02::1",
        "::",
        "::7f00:1",
    ],
)
def test_a_listed_name_that_leads_to_a_private_address_is_refused(listener, address):
    """Also when a public address comes with it: one bad one refuses them all."""
    for answer in ([address], [PUBLIC, address]):
        guard = EgressGuard([f"api.example:{listener.port}"], resolve=resolver(answer))
        assert "api.example" in refused(f"http://api.example:{listener.port}/v1", guard)
    assert listener.hits == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/_x",
        "ftp://127.0.0.1:{port}/",
        "//127.0.0.1:{port}/v1",
        "127.0.0.1:{port}/v1",
        "http://user:word@127.0.0.1:{port}/v1",
        "http://127.0.0.1:{port}@evil.example/v1",
        "http://api.example#@127.0.0.1:{port}/v1",
        "http://api.example\\@127.0.0.1:{port}/v1",
        "http://127.0.0.1:{port}/v1?next=x",
        "http://127.0.0.1 :{port}/v1",
        "http://127.0.0.1:{port}/v1\n",
        "http://127.0.0.1:99999/v1",
        "http:///v1",
        "",
    ],
)
def test_a_url_in_disguise_is_refused_even_where_the_host_is_listed(listener, url):
    guard = EgressGuard(["127.0.0.1:*", "api.example"])
    refused(url.format(port=listener.port), guard)
    assert listener.hits == []


def test_addresses_that_stand_for_others_are_refused_even_when_listed(listener):
    entries = ["169.254.169.254:*", "0.0.0.0:*", "[::ffff:127.0.0.1]:*", "[64:ff9b::7f00:1]:*"]
    for entry in entries:
        guard = EgressGuard([entry, "0.0.0.0/0", "::/0"])
        assert "never" in refused(f"http://{entry.removesuffix(':*')}:{listener.port}/v1", guard)
    assert listener.hits == []


def test_a_port_that_is_not_listed_is_refused(listener):
    for entry in ("127.0.0.1", "127.0.0.1:1", "localhost"):
        assert str(listener.port) in refused(
            f"http://127.0.0.1:{listener.port}/v1", EgressGuard([entry])
        )
    assert listener.hits == []


def test_a_name_that_changes_its_mind_after_the_check_is_refused(listener):
    """The rebinding resolver: public while the connection is being set up, loopback afterwards."""
    url = f"http://rebind.example:{listener.port}/v1"
    resolve = resolver([PUBLIC], ["127.0.0.1"])
    guard = EgressGuard([f"rebind.example:{listener.port}"], resolve=resolve)
    assert finish(guard.addresses("rebind.example", listener.port)) == [PUBLIC]
    refused(url, guard)
    assert listener.hits == []


def test_the_connection_goes_to_the_checked_address_and_the_name_is_resolved_once(openai_server):
    """The first answer is allowed by its network; a second look-up would lead elsewhere."""
    port = openai_server.base_url.rpartition(":")[2].removesuffix("/v1")
    asked = []

    async def resolve(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.255.255.1"]

    guard = EgressGuard([f"vllm.example:{port}", "127.0.0.0/8"], resolve=resolve)
    call(f"http://vllm.example:{port}/v1", guard)
    assert asked == ["vllm.example"]
    assert openai_server.ledger[0].headers["host"] == f"vllm.example:{port}"


def test_the_next_address_is_tried_when_the_first_does_not_answer(openai_server):
    port = openai_server.base_url.rpartition(":")[2].removesuffix("/v1")
    guard = EgressGuard(
        [f"vllm.example:{port}", "127.0.0.0/8", "::1/128"], resolve=resolver(["::1", "127.0.0.1"])
    )
    call(f"http://vllm.example:{port}/v1", guard)
    assert len(openai_server.ledger) == 1


def test_listed_loopback_is_reached_by_address_and_as_localhost(openai_server):
    port = openai_server.base_url.rpartition(":")[2].removesuffix("/v1")
    guard = EgressGuard(["127.0.0.1:*", f"LOCALHOST:{port}"])
    call(openai_server.base_url, guard)
    call(f"http://localhost:{port}/v1", guard)
    assert len(openai_server.ledger) == 2


def test_a_redirect_to_a_forbidden_place_is_not_followed(openai_server, listener):
    openai_server.always(redirect=f"http://127.0.0.1:{listener.port}/v1/chat/completions")
    with pytest.raises(LLMError) as caught:
        call(openai_server.base_url, EgressGuard(["127.0.0.1:*"]))
    assert "redirect" in caught.value.message
    assert listener.hits == []


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"])
def test_a_proxy_from_the_environment_is_not_used(openai_server, listener, monkeypatch, name):
    monkeypatch.setenv(name, f"http://127.0.0.1:{listener.port}")
    call(openai_server.base_url, EgressGuard(["127.0.0.1:*"]))
    assert listener.hits == []
    assert len(openai_server.ledger) == 1


@pytest.mark.parametrize("entry", ["http://x", "x:y", "a b", "x:80:90", "", "10.0.0.0/99", "127.1"])
def test_a_list_entry_that_means_nothing_is_an_error(entry):
    with pytest.raises((ValueError, LLMError)):
        EgressGuard([entry])


def certificate(name, folder):
    """A self-signed certificate and key for a host name, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    (folder / "cert.pem").write_bytes(built.public_bytes(pem) + secret)
    return folder / "cert.pem"


def test_over_tls_the_name_is_announced_and_an_untrusted_certificate_is_refused(tmp_path):
    """The address is pinned, the name is still what the certificate must be for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate("api.example", tmp_path))
    announced, received = [], []
    context.sni_callback = lambda _socket, name, _context: announced.append(name)
    server = socket.create_server(("127.0.0.1", 0))

    def accept():
        connection, _ = server.accept()
        with connection:
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    received.append(secured.recv(10))
            except OSError:
                return

    thread = threading.Thread(target=accept)
    thread.start()
    port = server.getsockname()[1]
    guard = EgressGuard([f"api.example:{port}", "127.0.0.0/8"], resolve=resolver(["127.0.0.1"]))
    with pytest.raises(LLMError) as caught:
        call(f"https://api.example:{port}/v1", guard)
    thread.join()
    server.close()
    assert announced == ["api.example"]
    assert (caught.value.kind, caught.value.sent) == ("transport", False)
    assert received in ([], [b""])
