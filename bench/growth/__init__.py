"""What an operation costs as the number of things around it grows. `python -m bench.growth` prints it."""
