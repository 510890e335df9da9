"""The near end: one connection kept open, and what uses it."""
