"""fastmux itself as the benchmarks run it: every worker is written as a user would write it."""
