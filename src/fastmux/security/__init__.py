"""Who is at the other end, and the keys that only the two of us have.

Owns: the public names of the room. Loads neither OpenSSL nor cryptography until a handshake is
made.
"""

from fastmux.security.config import PLAINTEXT, HandshakeFactory, PlaintextConfig, TLSConfig

__all__ = ["PLAINTEXT", "HandshakeFactory", "PlaintextConfig", "TLSConfig"]
