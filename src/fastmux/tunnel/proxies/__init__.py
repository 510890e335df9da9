"""What the SOCKS5 and the HTTP proxy have in common: the listener, its clients' sockets, their passwords.

May not know: either protocol.
"""
