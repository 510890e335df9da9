"""The benchmarks of fastmux: `python -m bench`, read through `bench/README.md`."""
