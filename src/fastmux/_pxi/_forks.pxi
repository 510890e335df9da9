# Forks: what was made before one is the parent's, or both processes would seal under one key and number.
# Owns: how many forks led to this process. May not know: what was made when.

cdef int64_t forks = 0

_forked_text = "this was made before the process was forked off: it stays with the parent, make it anew here"


def _count_fork():
    global forks
    forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)
