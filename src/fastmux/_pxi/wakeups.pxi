# Tasks that are woken while a driver is at work, and go on when it is done.
# Owns: one task's waiting, as a coroutine awaits it and asyncio's tasks go on after it, and the order of
# those who were woken. May not know: what is waited for, and which event loop it is.

@final
cdef class Wakeups:
    """Keeps who is woken between `begin` and `end`; then `resume` lets them go on."""

    # Invariant: `_woken` are those to resume, in the order in which they were woken: waiters, and pairs of a
    # call and its context. None is added unless wake-ups are being kept, and none are kept while they run.
    cdef object _loop
    cdef object _cancelled
    cdef list _woken
    cdef readonly bint is_open

    def __cinit__(self):
        self._woken = []
        self.is_open = False

    def __init__(self, loop, cancelled, /):
        self._loop = loop
        self._cancelled = cancelled

    def __reduce__(self):
        raise TypeError("cannot pickle or copy Wakeups")

    def create_future(self):
        cdef TaskWaiter waiter = TaskWaiter.__new__(TaskWaiter)
        waiter._wakeups = self  # what __init__ does, without its call
        return waiter

    def call_soon(self, callback, /):
        if self.is_open:
            self._woken.append((callback, copy_context()))
        else:
            self._loop.call_soon(callback)

    def begin(self):
        self.is_open = True

    def end(self):
        self.is_open = False
        return len(self._woken) > 0

    def resume(self):
        cdef list woken = self._woken
        cdef Py_ssize_t position = 0
        cdef object each
        if self.is_open:
            raise RuntimeError("wake-ups are being kept")
        self._woken = []
        try:
            while position < len(woken):
                each = woken[position]
                position += 1
                if type(each) is TaskWaiter:
                    (<TaskWaiter>each)._context.run((<TaskWaiter>each)._resume, each)
                else:
                    each[1].run(each[0])
        finally:
            while position < len(woken):
                each = woken[position]
                position += 1
                if type(each) is TaskWaiter:
                    resume_later(<TaskWaiter>each)
                else:
                    self._loop.call_soon(each[0], context=each[1])


@final
cdef class TaskWaiter:
    """A future without errors, for one task of asyncio's: what `Wakeups.create_future` makes."""

    # Invariant: `_resume` is how the task that awaits goes on, in `_context`; None while nobody awaits.
    cdef Wakeups _wakeups
    cdef object _resume
    cdef object _context
    cdef object _result
    cdef object _message
    cdef bint _is_done
    cdef bint _is_cancelled
    # asyncio's tasks know by this name what they can await, and set it while they do
    cdef public bint _asyncio_future_blocking

    def __cinit__(self):
        self._wakeups = nobody

    def __init__(self, Wakeups wakeups not None, /):
        self._wakeups = wakeups

    def __reduce__(self):
        raise TypeError("cannot pickle or copy TaskWaiter")

    def done(self):
        return self._is_done

    def cancelled(self):
        return self._is_cancelled

    def get_loop(self):
        return self._wakeups._loop

    def set_result(self, result, /):
        if self._is_done:
            raise RuntimeError("this waiter was woken or cancelled before")
        self._is_done = True
        self._result = result
        if self._resume is None:
            return
        if self._wakeups.is_open:
            self._wakeups._woken.append(self)
        else:
            resume_later(self)

    def cancel(self, msg=None):
        if self._is_done:
            return False
        self._is_done = self._is_cancelled = True
        self._message = msg
        if self._resume is not None:
            resume_later(self)
        return True

    def result(self):
        if self._is_cancelled:
            if self._message is None:
                raise self._wakeups._cancelled()
            raise self._wakeups._cancelled(self._message)
        if not self._is_done:
            raise RuntimeError("this waiter was not woken yet")
        return self._result

    def add_done_callback(self, callback, /, *, context=None):
        if self._resume is not None or context is None:
            raise RuntimeError("only one task can await this, and nobody else can ask to be called")
        self._resume = callback
        self._context = context
        if self._is_done:
            resume_later(self)

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        if not self._is_done:
            if self._asyncio_future_blocking or self._resume is not None:
                raise RuntimeError("only one task can await this")
            self._asyncio_future_blocking = True
            return self
        if self._is_cancelled:
            self.result()
        raise StopIteration(self._result)


cdef Wakeups nobody = Wakeups(None, RuntimeError)  # of a waiter that was not made as it should be


cdef int resume_later(TaskWaiter waiter) except -1:
    waiter._wakeups._loop.call_soon(waiter._resume, waiter, context=waiter._context)
    return 0
