"""Certificates for a cluster on this machine: one for scheduler and workers, one for the client."""

from pathlib import Path

from fastmux.security.certificates import issue_client, issue_peer, make_ca, write_credential

folder = Path("keys")
folder.mkdir(mode=0o700)
ca = make_ca()
write_credential(folder, "ca", ca)
write_credential(folder, "node", issue_peer(ca, "node", ["localhost", "127.0.0.1"]))
write_credential(folder, "client", issue_client(ca, "client"))
