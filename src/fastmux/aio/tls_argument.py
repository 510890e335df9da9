"""The argument `tls` of every `connect` and `listen`.

Owns: what may be one. May not know: what a handshake proves.
"""

from __future__ import annotations


def check_tls(tls: object) -> None:
    """Raise TypeError, which says what to give, unless `tls` can make handshakes."""
    if isinstance(tls, type) or not callable(getattr(tls, "create_handshake", None)):
        what = tls.__name__ + " itself" if isinstance(tls, type) else type(tls).__name__
        raise TypeError(
            "tls must be fastmux.TLSConfig(certfile, keyfile, cafile), or fastmux.PLAINTEXT for neither"
            f" encryption nor identity, not {'None' if tls is None else what}"
        )
