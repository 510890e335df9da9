"""What `make` runs besides pytest: the suite on both cores, and the stages of `make check`."""
