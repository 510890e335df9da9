# SendStream: the sending side of a stream as Python sees it, for tests.
# Owns: the class. May not know: packets, credit.

@final
cdef class SendStream:
    """The bytes of one stream until they are acknowledged; what cannot change is held by reference."""

    cdef StreamOut stream

    def __dealloc__(self):
        stream_out_free(&self.stream)

    def __reduce__(self):
        raise TypeError("cannot pickle or copy SendStream")

    def write(self, data):
        """Takes all of `data`; returns `unsent_size`. ValueError after `finish`."""
        taken = as_kept(data)
        cdef Kept kept = kept_of(taken)
        if self.stream.finished:
            raise ValueError("write after finish")
        if stream_out_write(&self.stream, &kept) < 0:
            raise MemoryError
        return self.stream.written - self.stream.next

    def finish(self):
        """FIN follows what was written; once is enough."""
        if not self.stream.finished:
            self.stream.finished = True
            self.stream.fin_due = True

    def next_range(self, max_size, limit):
        """(offset, data, fin) of the next run to send, None if nothing can go.

        At most `max_size` bytes; lost runs first, new ones below the absolute offset `limit`. FIN comes with
        the run that reaches the end; a FIN alone is a run of no bytes.
        """
        cdef int64_t size = as_wire(max_size)
        cdef int64_t stop = as_wire(limit)
        cdef Run run
        cdef bytes data
        if not stream_out_next(&self.stream, size, stop, &run):
            return None
        data = PyBytes_FromStringAndSize(NULL, run.stop - run.start)
        stream_out_copy(&self.stream, run.start, run.stop, <uint8_t *>PyBytes_AS_STRING(data))
        return run.start, data, bool(run.fin)

    def on_acked(self, start, stop, fin):
        """The peer has the run [start, stop), and FIN if `fin`."""
        cdef int64_t status = stream_out_acked(&self.stream, as_wire(start), as_wire(stop), bool(fin))
        if status < 0:
            raise_status(status)

    def on_lost(self, start, stop, fin):
        """The run [start, stop), and FIN if `fin`, must go again, but for what was acknowledged meanwhile."""
        cdef int status = stream_out_lost(&self.stream, as_wire(start), as_wire(stop), bool(fin))
        if status < 0:
            raise_status(status)

    @property
    def unsent_size(self):
        """Bytes never sent yet."""
        return self.stream.written - self.stream.next

    @property
    def sent_size(self):
        """The offset up to which bytes were sent at least once."""
        return self.stream.next

    @property
    def held_size(self):
        """Bytes written and not acknowledged from the front."""
        return self.stream.written - self.stream.base

    @property
    def is_delivered(self):
        """True when FIN and everything before it is acknowledged."""
        return bool(stream_out_is_delivered(&self.stream))
