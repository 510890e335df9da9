"""`python -m fastmux`: the command. Owns: nothing but the call. May not know: any subcommand."""

from __future__ import annotations

import sys

from fastmux.tunnel.cli import main

if __name__ == "__main__":
    sys.exit(main())
