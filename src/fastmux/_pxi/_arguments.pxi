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


cdef int take_buffer(object data, Py_buffer *view) except -1:
    """Contiguous bytes; TypeError without the buffer protocol, BufferError where it is not contiguous."""
    return PyObject_GetBuffer(data, view, PyBUF_SIMPLE)


cdef int take_writable(object data, Py_buffer *view) except -1:
    """Contiguous bytes that may be written, else BufferError."""
    if PyObject_GetBuffer(data, view, PyBUF_SIMPLE) < 0:
        return -1
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
