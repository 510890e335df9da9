"""The far end: connections served by rule, in one process or many."""
