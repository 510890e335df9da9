# Arguments from Python: integers through operator.index, buffers through Py_buffer, one place for the errors.
# Owns: the checks and their errors, the same as the pure core's. May not know: the protocol.

cdef int64_t as_integer(object value, int64_t lowest, int64_t highest) except? -1:
    """An integer in [lowest, highest]; TypeError for what is none (a float too), else OverflowError."""
    cdef int overflow = 0
    cdef int64_t number
    if PyLong_CheckExact(value):
        number = PyLong_AsLongLongAndOverflow(value, &overflow)
    else:
        number = PyLong_AsLongLongAndOverflow(index(value), &overflow)
    if overflow or number < lowest or number > highest:
        raise OverflowError(f"integer out of range: not in {lowest} to {highest}")
    return number


cdef inline int64_t as_wire(object value) except? -1:
    """An integer that a varint can carry."""
    return as_integer(value, 0, MAX_VARINT)


cdef double as_seconds(str name, object value) except? -1.0:
    """A time or a delay; ValueError unless it is finite and not negative: the rest has no order."""
    cdef double seconds = value
    if not 0.0 <= seconds < INFINITY:
        raise ValueError(f"{name} must be finite and not negative")
    return seconds


cdef int take_buffer(object data, Py_buffer *view) except -1:
    """Contiguous bytes; TypeError without the buffer protocol, BufferError where it is not contiguous."""
    try:
        return PyObject_GetBuffer(data, view, PyBUF_SIMPLE)
    except ValueError:  # numpy's word for it, and that of a memoryview that was released
        if not has_gaps(data):
            raise
    raise BufferError("the buffer is not contiguous")


cdef bint has_gaps(object data):
    """True for a buffer of which there is a view only with strides."""
    cdef Py_buffer view
    try:
        PyObject_GetBuffer(data, &view, PyBUF_STRIDES)
    except (BufferError, ValueError):
        return False
    PyBuffer_Release(&view)
    return True


cdef int take_writable(object data, Py_buffer *view) except -1:
    """Contiguous bytes that may be written, else BufferError."""
    take_buffer(data, view)
    if view.readonly:
        PyBuffer_Release(view)
        raise BufferError("the buffer is not writable")
    return 0


cdef bytes as_bytes(object data):
    """Exact `bytes` by reference, a copy of anything else."""
    cdef Py_buffer view
    if PyBytes_CheckExact(data):
        return data
    take_buffer(data, &view)
    try:
        return PyBytes_FromStringAndSize(<char *>view.buf, view.len)
    finally:
        PyBuffer_Release(&view)


cdef extern from "Python.h":
    Py_buffer *PyMemoryView_GET_BUFFER(object view) noexcept

# What a channel keeps until it is acknowledged: `size` bytes at `data`, inside the exact bytes `owner`.
cdef struct Kept:
    const uint8_t *data
    int64_t size
    void *owner


cdef object as_kept(object data):
    """What may be kept until it is sent: the data itself where it cannot change, a copy of anything else.

    Exact `bytes` cannot change, and a read-only view on them neither, whatever made it: a memoryview, a
    PickleBuffer, a numpy array. A view on less than half of its bytes is copied, for it would keep them all.
    Returns exact bytes, or a memoryview of our own that shows a part of exact bytes.
    """
    cdef Py_buffer view
    if PyBytes_CheckExact(data):
        return data
    take_buffer(data, &view)
    try:
        if view.readonly and view.len >= KEEP_FROM:
            part = part_behind(data, <const char *>view.buf, view.len)
            if part is not None:
                return part
        return PyBytes_FromStringAndSize(<char *>view.buf, view.len)
    finally:
        PyBuffer_Release(&view)


cdef object part_behind(object data, const char *start, Py_ssize_t size):
    """The part of exact bytes that these bytes of `data` are, as `as_kept` returns it, or None."""
    cdef bytes owner = bytes_behind(data)
    cdef Py_ssize_t at, whole
    if owner is None:
        return None
    at = start - PyBytes_AS_STRING(owner)
    whole = PyBytes_GET_SIZE(owner)
    if at < 0 or at + size > whole or whole > KEEP_SHARE * size:
        return None
    return owner if size == whole else memoryview(owner)[at:at + size]


cdef bytes bytes_behind(object data):
    """The exact `bytes` whose memory a buffer shows, None for memory of any other kind.

    Types are compared exactly: a class of somebody else's may say anything about its memory.
    """
    array_type = getattr(sys.modules.get("numpy"), "ndarray", None)
    owner = data if array_type is not None and type(data) is array_type else shown_by(data)
    for _ in range(MAX_OWNERS):
        if PyBytes_CheckExact(owner):
            return owner
        if type(owner) is memoryview:
            owner = exporter_of(owner)
        elif array_type is not None and type(owner) is array_type:
            owner = owner.base
        else:
            break
    return None


cdef object shown_by(object data):
    try:
        return memoryview(data).obj
    except ValueError:  # of dates, for one, numpy shows no more than the bytes
        return None


cdef object exporter_of(object view):
    try:
        return view.obj
    except ValueError:  # it was released
        return None


cdef inline Kept kept_of(object taken) noexcept:
    """Where that stands which `as_kept` returned; `taken` keeps it alive until `hold` does."""
    cdef Kept found
    cdef Py_buffer *view
    if PyBytes_CheckExact(taken):
        found.owner = <void *>taken
        found.data = <const uint8_t *>PyBytes_AS_STRING(taken)
        found.size = PyBytes_GET_SIZE(taken)
    else:
        view = PyMemoryView_GET_BUFFER(taken)
        found.owner = <void *>view.obj
        found.data = <const uint8_t *>view.buf
        found.size = view.len
    return found
