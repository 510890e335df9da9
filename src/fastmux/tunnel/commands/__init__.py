"""The commands, a module each with a click command named `command`.

Owns: options, help and what is printed. May not know: each other.
"""
