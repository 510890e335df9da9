"""Records of connections in qlog's form (draft-ietf-quic-qlog-main-schema, JSON text sequences of RFC 7464).

Owns: what is recorded, and files. May not know: sockets, event loops; how a connection works.
"""
