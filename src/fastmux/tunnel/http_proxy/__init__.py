"""An HTTP/1.1 proxy listener over the tunnel (RFC 9110, RFC 9112): CONNECT, absolute-form requests, upgrades.

`request_head`, `request_reader`, `request_target`, `fields`, `credentials` and `refusals` are sans-IO;
`upstream`, `exchange`, `visit` and `server` move the bytes. Needs h11, which is in the extra `tunnel`.
"""

try:
    import h11 as _h11
except ModuleNotFoundError as error:  # the same kind, by which `exits` knows an extra that is missing
    raise ModuleNotFoundError(
        "the HTTP proxy needs h11: pip install 'fastmux[tunnel]'", name="h11"
    ) from error

del _h11
