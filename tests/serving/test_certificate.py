"""The server's certificate and its key, as files on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="needs the package cryptography")

from cryptography.hazmat.primitives import serialization

from kfp_k8s_manifest.cluster import ClusterConfig
from kfp_k8s_manifest.cluster.auth import tls_context
from kfp_k8s_manifest.errors import ClusterError
from kfp_k8s_manifest.serving.certificate import CertificateError, ServingCertificate
from tests.apiserver.certificates import CertificateAuthority


def encrypted(key: bytes) -> bytes:
    found = serialization.load_pem_private_key(key, None)
    return found.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


def test_nobody_is_asked_for_the_passphrase_of_a_key(tmp_path: Path) -> None:
    """OpenSSL would ask at the terminal, and the server would wait there: at its start, or for a new key."""
    authority = CertificateAuthority("ca")
    certificate, key = authority.issue_server().write(tmp_path, "tls")
    message = (
        f"the key {key} is encrypted, and a server has nobody to ask for the passphrase: write it"
        f" without one (openssl pkey -in {key} -out KEY)"
    )
    served = ServingCertificate(certificate, key)
    key.write_bytes(encrypted(key.read_bytes()))
    for load in (served.reload, lambda: ServingCertificate(certificate, key)):
        with pytest.raises(CertificateError) as caught:
            load()
        assert str(caught.value) == message


def test_nobody_is_asked_for_the_passphrase_of_a_kubeconfig() -> None:
    pair = CertificateAuthority("ca").issue_client("somebody")
    config = ClusterConfig(
        server="https://127.0.0.1:9",
        client_certificate=(pair.certificate.decode(), encrypted(pair.key).decode()),
    )
    with pytest.raises(ClusterError) as caught:
        tls_context(config)
    assert str(caught.value) == (
        "the cluster's certificates cannot be used: the client's key is encrypted; kubectl takes none"
        " either: write it without a passphrase"
    )
