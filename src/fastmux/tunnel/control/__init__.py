"""How a running serve or tunnel is asked and steered on its own machine.

`lines` is the form on the wire, `paths` where sockets are, `server` and `client` the two ends, `status` what
a status holds and `render` how it looks.
"""
