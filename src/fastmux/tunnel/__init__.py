"""The application on top of fastmux: the `fastmux` command.

Owns: the command line and what it runs. May not know: the inside of the rooms below (it uses fastmux as any
user does).
"""
