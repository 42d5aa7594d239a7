"""TLS for the mock: a given certificate, or one of our own making under an authority that clients can be told to trust.

Python clients read ``SSL_CERT_FILE``, Node ``NODE_EXTRA_CA_CERTS``; both take its file. Chain and extensions are what
OpenSSL's strict X.509 checks want (the default since Python 3.13).
"""

import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM bytes: ``authority`` for those who shall trust it, ``chain`` and ``key`` for the server."""

    authority: bytes
    chain: bytes
    key: bytes


def server_context(chain: Path, key: Path | None = None) -> ssl.SSLContext:
    """Return a server's context for a certificate on disk; without ``key`` the chain's file holds it too.

    Raises:
        OSError: a file cannot be read.
        ssl.SSLError: they are no certificate and key, or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context


def self_made(*hosts: str) -> tuple[ssl.SSLContext, Certificate]:
    """Return a server's context with a certificate of our own for these host names and addresses."""
    certificate = make_certificate(*hosts)
    with tempfile.TemporaryDirectory() as folder:  # the ssl module loads keys from files only
        path = Path(folder, "chain-and-key.pem")
        path.touch(mode=0o600)
        path.write_bytes(certificate.chain + certificate.key)
        return server_context(path), certificate


def make_certificate(*hosts: str) -> Certificate:
    """Make an authority and, signed by it, a certificate for these host names and addresses; both last 30 days."""
    authority_key, key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    authority_name = _name("Realtime mock authority")
    authority = (
        _begin(authority_name, authority_name, authority_key, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .sign(authority_key, SHA256())
    )
    leaf = (
        _begin(_name("Realtime mock"), authority_name, key, authority_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_alternative(host) for host in hosts]), critical=False)
        .sign(authority_key, SHA256())
    )
    return Certificate(
        authority=authority.public_bytes(Encoding.PEM),
        chain=leaf.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM),
        key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def _begin(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, issuer_key: EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
