"""TLS: the certificate of our own making passes strict checks, and only for the hosts it names."""

import ssl
from pathlib import Path

import orjson
import pytest
from websockets.asyncio.client import connect

from mock_upstream.server import MockUpstream
from mock_upstream.tests.puppet import Puppet, say
from mock_upstream.tls import Certificate, make_certificate, self_made, server_context


def strict_client(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=certificate.authority.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


async def test_a_strict_client_that_trusts_our_authority_connects() -> None:
    context, certificate = self_made("127.0.0.1")
    async with (
        MockUpstream(ssl=context, new_session=Puppet(hello=[say("session.created")])) as mock,
        connect(mock.url, ssl=strict_client(certificate)) as client,
    ):
        assert mock.url.startswith("wss://127.0.0.1:")
        assert mock.base_url.startswith("https://127.0.0.1:")
        assert orjson.loads(await client.recv()) == {"type": "session.created"}


async def test_a_client_that_does_not_trust_it_does_not_connect() -> None:
    context, _ = self_made("127.0.0.1")
    async with MockUpstream(ssl=context, new_session=Puppet()) as mock:
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(mock.url, ssl=ssl.create_default_context())


async def test_another_host_name_is_not_covered() -> None:
    context, certificate = self_made("mock.example")
    async with MockUpstream(ssl=context, new_session=Puppet()) as mock:
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(mock.url, ssl=strict_client(certificate))
        async with connect(mock.url, ssl=strict_client(certificate), server_hostname="mock.example"):
            pass


def test_a_given_certificate_is_loaded_from_one_file_or_two(tmp_path: Path) -> None:
    certificate = make_certificate("localhost")
    chain, key, both = tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "both.pem"
    chain.write_bytes(certificate.chain)
    key.write_bytes(certificate.key)
    both.write_bytes(certificate.chain + certificate.key)
    for context in (server_context(chain, key), server_context(both)):
        assert context.get_ca_certs() == []
        assert context.protocol is ssl.PROTOCOL_TLS_SERVER
