# A map from integers to pointers and a first-in-first-out queue of pointers.
# Owns: their memory. May not know: what the pointers point to.

cdef struct MapEntry:
    int64_t key
    void *value

# Invariant: open addressing, linear probing; an entry is free where value is NULL; at most half are in use;
# no free entry lies between a key's home and the key.
cdef struct Map:
    MapEntry *entries
    uint32_t capacity
    uint32_t count
    bint is_counted  # keys are our own and count up: they spread by themselves, and that is faster


# Peers choose the ids of their messages: who knew where a key goes could have them all collide.
cdef uint64_t map_secret = <uint64_t>int.from_bytes(os.urandom(8), "little")


cdef uint32_t map_home(Map *self, int64_t key) noexcept nogil:
    """Where a key belongs: the finaliser of MurmurHash3 over the key and a secret of this process."""
    cdef uint64_t mixed = <uint64_t>key ^ map_secret
    if self.is_counted:
        return <uint32_t>((<uint64_t>key * <uint64_t>0x9E3779B97F4A7C15) >> 32) & (self.capacity - 1)
    mixed = (mixed ^ (mixed >> 33)) * <uint64_t>0xFF51AFD7ED558CCD
    mixed = (mixed ^ (mixed >> 33)) * <uint64_t>0xC4CEB9FE1A85EC53
    return <uint32_t>(mixed ^ (mixed >> 33)) & (self.capacity - 1)


cdef void *map_get(Map *self, int64_t key) noexcept nogil:
    """The value, NULL if there is none."""
    cdef uint32_t place
    if self.count == 0:
        return NULL
    place = map_home(self, key)
    while self.entries[place].value != NULL:
        if self.entries[place].key == key:
            return self.entries[place].value
        place = (place + 1) & (self.capacity - 1)
    return NULL


cdef void map_free(Map *self) noexcept nogil:
    mem_free(self.entries, self.capacity * sizeof(MapEntry))
    self.entries = NULL
    self.capacity = 0
    self.count = 0


cdef void map_place(Map *self, int64_t key, void *value) noexcept nogil:
    """Puts a key that is not there where it belongs; there is room."""
    cdef uint32_t place = map_home(self, key)
    while self.entries[place].value != NULL:
        place = (place + 1) & (self.capacity - 1)
    self.entries[place].key = key
    self.entries[place].value = value
    self.count += 1


cdef int map_put(Map *self, int64_t key, void *value) noexcept nogil:
    """Adds a key that is not there."""
    cdef Map grown
    cdef uint32_t place
    if (self.count + 1) * 2 > self.capacity:
        if self.capacity > (<uint32_t>1 << 30):
            return NO_MEMORY  # what is twice as much has no number
        grown.capacity = self.capacity * 2 if self.capacity else 4
        grown.count = 0
        grown.is_counted = self.is_counted
        grown.entries = <MapEntry *>mem_zeroed(grown.capacity * sizeof(MapEntry))
        if grown.entries == NULL:
            return NO_MEMORY
        for place in range(self.capacity):
            if self.entries[place].value != NULL:
                map_place(&grown, self.entries[place].key, self.entries[place].value)
        map_free(self)
        self[0] = grown
    map_place(self, key, value)
    return OK


cdef void *map_pop(Map *self, int64_t key) noexcept nogil:
    """Takes a key out: its value, NULL if it is not there. An empty map holds no memory."""
    cdef uint32_t place, after, home
    cdef uint32_t mask = self.capacity - 1
    cdef void *found
    if self.count == 0:
        return NULL
    place = map_home(self, key)
    while self.entries[place].value != NULL and self.entries[place].key != key:
        place = (place + 1) & mask
    found = self.entries[place].value
    if found == NULL:
        return NULL
    after = place
    while True:  # what probed past the gap moves into it
        after = (after + 1) & mask
        if self.entries[after].value == NULL:
            break
        home = map_home(self, self.entries[after].key)
        if ((after - home) & mask) >= ((after - place) & mask):
            self.entries[place] = self.entries[after]
            place = after
    self.entries[place].value = NULL
    self.count -= 1
    if self.count == 0:
        map_free(self)
    return found


# Invariant: items[(first + i) & (capacity - 1)] for i < count, oldest first.
cdef struct Fifo:
    void **items
    uint32_t capacity
    uint32_t first
    uint32_t count


cdef inline void **fifo_at(Fifo *self, uint32_t position) noexcept nogil:
    return self.items + ((self.first + position) & (self.capacity - 1))


cdef void fifo_free(Fifo *self) noexcept nogil:
    mem_free(self.items, self.capacity * sizeof(void *))
    memset(self, 0, sizeof(Fifo))


cdef int fifo_push(Fifo *self, void *item) noexcept nogil:
    cdef uint32_t capacity, position
    cdef void **items
    if self.count == self.capacity:
        capacity = self.capacity * 2 if self.capacity else 4
        items = <void **>mem_alloc(capacity * sizeof(void *))
        if items == NULL:
            return NO_MEMORY
        for position in range(self.count):
            items[position] = fifo_at(self, position)[0]
        mem_free(self.items, self.capacity * sizeof(void *))
        self.items = items
        self.capacity = capacity
        self.first = 0
    self.count += 1
    fifo_at(self, self.count - 1)[0] = item
    return OK


cdef void *fifo_pop(Fifo *self) noexcept nogil:
    """The oldest item; there is one. An empty queue gives large memory back."""
    cdef void *item = fifo_at(self, 0)[0]
    self.first = (self.first + 1) & (self.capacity - 1)
    self.count -= 1
    if self.count == 0 and self.capacity > SMALL_DIRECTORY:
        fifo_free(self)
    return item
