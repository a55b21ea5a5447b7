"""The server's certificate, read again when its files change, without a restart.

A Secret that is mounted into a pod changes by the swap of a symbolic link; cert-manager renews it
long before it expires. Connections that are open keep their certificate, new ones get the new one.
"""

from __future__ import annotations

import calendar
import ssl
import time
from pathlib import Path

from kfp_k8s_manifest.errors import KfpK8sError

__all__ = ["CertificateError", "ServingCertificate"]


class CertificateError(KfpK8sError):
    """The certificate and its key cannot be read, or do not belong together."""


class ServingCertificate:
    """A certificate and key on the disk, and the TLS settings that serve them.

    Args:
        certificate: The file with the certificate, and any intermediate ones behind it, PEM.
        key: The file with its private key, PEM.

    Raises:
        CertificateError: They cannot be used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate = certificate
        self._key = key
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._seen: object = None
        self.reload()

    def reload(self) -> bool:
        """Load the files if they have changed since they were last looked at.

        Returns:
            True where another certificate is served from now on.

        Raises:
            CertificateError: They cannot be used; the certificate from before is still served, and
                the next call tries again.
        """
        seen = (_identity(self._certificate), _identity(self._key))
        if seen == self._seen:
            return False
        try:
            # Tried apart from the settings in use, which a failure would leave half changed: the
            # two files may be from different moments of a rotation.
            for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.context):
                context.load_cert_chain(self._certificate, self._key, self._passphrase)
        except (OSError, ssl.SSLError) as error:
            raise CertificateError(
                f"the certificate {self._certificate} and the key {self._key} cannot be used: {error}"
            ) from error
        self._seen = seen
        return True

    def _passphrase(self) -> str:
        """Refuse an encrypted key, for which OpenSSL would ask at the terminal, and wait."""
        raise CertificateError(
            f"the key {self._key} is encrypted, and a server has nobody to ask for the passphrase: write"
            f" it without one (openssl pkey -in {self._key} -out KEY)"
        )

    def expires(self) -> float:
        """Return when the served certificate expires, in seconds since the epoch; 0 if unknown."""
        try:
            text = self._certificate.read_text(encoding="ascii", errors="replace")
            begin, end = text.index("-----BEGIN CERT"), text.index("-----END CERTIFICATE-----")
            return _not_after(ssl.PEM_cert_to_DER_cert(text[begin : end + 25]))
        except (OSError, ValueError, IndexError):
            return 0.0


def _not_after(der: bytes) -> float:
    """Return when a certificate expires; Python can read that from a live connection only."""
    _, start, _ = _element(der, 0)
    _, position, _ = _element(der, start)
    # Before the validity stand: the version (where present), serial number, algorithm, issuer.
    tag, _, end = _element(der, position)
    position = end if tag == 0xA0 else position
    for _ in range(3):
        _, _, position = _element(der, position)
    _, start, _ = _element(der, position)
    _, _, position = _element(der, start)
    tag, start, end = _element(der, position)
    text = der[start:end].decode("ascii")
    # UTCTime has two digits for the year, and means 1950 to 2049.
    year = text[:4] if tag == 0x18 else ("19" if text[:2] >= "50" else "20") + text[:2]
    rest = text[4:] if tag == 0x18 else text[2:]
    return calendar.timegm(time.strptime(year + rest, "%Y%m%d%H%M%SZ"))


def _element(der: bytes, position: int) -> tuple[int, int, int]:
    """Return tag, begin and end of the content of the DER element at a position."""
    tag, length = der[position], der[position + 1]
    position += 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(der[position : position + count], "big")
        position += count
    return tag, position, position + length


def _identity(path: Path) -> tuple[str, int, int, int]:
    """Return what changes whenever a file is replaced or rewritten, links on its path included."""
    try:
        status = path.stat()
        return str(path.resolve()), status.st_ino, status.st_mtime_ns, status.st_size
    except OSError as error:
        raise CertificateError(f"{path} cannot be read: {error.strerror}") from error
