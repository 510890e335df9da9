"""A SOCKS5 listener over the tunnel (RFC 1928, RFC 1929).

`addresses`, `negotiation` and `datagrams` are sans-IO: bytes in, values and bytes out, and only `SocksError`
leaves them. `server` and `association` move the bytes.
"""
