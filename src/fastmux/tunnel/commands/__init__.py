"""The commands of `fastmux`, one a module, each exposing a click command `command`.

A module is imported when its command is called, so that none pays for another's imports.
"""
