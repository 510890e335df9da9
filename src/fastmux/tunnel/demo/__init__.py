"""The main job, `fastmux demo`: every kind of channel at once over one connection, in two processes on
loopback.

`run` is the parent: it makes certificates and the file, starts the processes and prints the table. `server`
and `client` are the two ends, `jobs` what the client carries, `relay` the hostile link, `baseline` the same
file over TCP and TLS.
"""
