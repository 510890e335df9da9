# Packet protection (docs/wire-format.md §5.1): AEAD per packet, or the null suite's CRC-32.
# Owns: one direction's key, IV and nonces. May not know: packets, frames, connections.

cdef enum:
    MAX_KEY_SIZE = 32

# Invariant: with an AEAD suite `context` (EVP) or `fallback` (a held _FallbackCipher) is there, or `key`
# waits for cipher_wake to make a context of it: most keys of a next phase are never used.
cdef struct Cipher:
    int suite
    bint is_set
    bint direct  # see _evp.pxi
    void *context
    void *fallback
    int64_t sealed
    uint8_t iv[IV_SIZE]
    uint8_t key[MAX_KEY_SIZE]


@final
cdef class _FallbackCipher:
    """`cryptography` over buffers made once: a train of equal packets makes no object but the call's own."""

    cdef object encrypt_into
    cdef object decrypt_into
    cdef object invalid_tag
    cdef bytearray nonce
    cdef bytearray header
    cdef bytearray text
    cdef bytearray out
    cdef object text_view
    cdef object out_view

    def __cinit__(self):
        self.nonce = bytearray(IV_SIZE)
        self.header = bytearray()
        self.text = bytearray()
        self.out = bytearray()

    cdef int run(
        self, bint opens, const uint8_t *nonce, const uint8_t *header, Py_ssize_t header_size,
        const uint8_t *text, Py_ssize_t size, uint8_t *out
    ) except -1:
        """1 with `size` bytes of `text` sealed or opened to `out`, 0 if they do not authenticate."""
        cdef Py_ssize_t out_size = size - TAG_SIZE if opens else size + TAG_SIZE
        memcpy(PyByteArray_AS_STRING(self.nonce), nonce, IV_SIZE)
        if len(self.header) != header_size:
            self.header = bytearray(header_size)
        if len(self.text) != size or len(self.out) != out_size:
            self.text = bytearray(size)
            self.out = bytearray(out_size)
        memcpy(PyByteArray_AS_STRING(self.header), header, header_size)
        fm_copy(PyByteArray_AS_STRING(self.text), text, size)
        try:
            (self.decrypt_into if opens else self.encrypt_into)(self.nonce, self.text, self.header, self.out)
        except self.invalid_tag:
            return 0
        fm_copy(out, PyByteArray_AS_STRING(self.out), out_size)
        return 1


cdef _FallbackCipher make_fallback(int suite, bytes key):
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import aead

    cdef _FallbackCipher made = _FallbackCipher()
    cipher = aead.ChaCha20Poly1305(key) if suite == SUITE_CHACHA20_POLY1305 else aead.AESGCM(key)
    made.encrypt_into = cipher.encrypt_into
    made.decrypt_into = cipher.decrypt_into
    made.invalid_tag = InvalidTag
    return made


cdef bint fallback_run(
    void *fallback, bint opens, const uint8_t *nonce, const uint8_t *header, Py_ssize_t header_size,
    const uint8_t *text, Py_ssize_t size, uint8_t *out
) noexcept with gil:
    return (<_FallbackCipher>fallback).run(opens, nonce, header, header_size, text, size, out) == 1


cdef void cipher_free(Cipher *self) noexcept nogil:
    if self.context != NULL:
        fm_evp_free(self.context)  # which wipes the key schedule
    if self.fallback != NULL:
        fm_decref(self.fallback)
    wipe(self, sizeof(Cipher))


cdef int cipher_check(object suite, object key, object iv) except -1:
    """The suite, when key and IV have its sizes; else ValueError."""
    cdef int64_t number = as_wire(suite)
    if number > SUITE_CHACHA20_POLY1305:
        raise ValueError("unknown suite")
    size = (0, 16, 32, 32)[number]
    as_sized("key", key, size, size)
    as_sized("iv", iv, IV_SIZE, IV_SIZE)
    return <int>number


cdef bint cipher_wake(Cipher *self, bint opens) noexcept nogil:
    """Makes the context that a sleeping cipher lacks; False without memory for it."""
    if self.context == NULL and self.fallback == NULL and self.suite != SUITE_NULL:
        self.context = fm_evp_new(self.suite, opens, self.key, self.iv)
        if self.context == NULL:
            return False
        wipe(self.key, MAX_KEY_SIZE)
        self.direct = fm_evp_is_direct(self.suite)
    return True


cdef int cipher_init(
    Cipher *self, object suite, object key, object iv, bint opens, bint sleeps=False
) except -1:
    """Keys one direction; on an error the old key stays. One that sleeps is to be woken before its use."""
    cdef Cipher made
    cdef _FallbackCipher fallback
    memset(&made, 0, sizeof(Cipher))
    made.suite = cipher_check(suite, key, iv)
    cdef bytes key_bytes = as_bytes(key)
    cdef bytes iv_bytes = as_bytes(iv)
    memcpy(made.iv, PyBytes_AS_STRING(iv_bytes), IV_SIZE)
    made.is_set = True
    if made.suite != SUITE_NULL:
        if find_aead() == "evp":
            memcpy(made.key, PyBytes_AS_STRING(key_bytes), len(key_bytes))
            if not sleeps and not cipher_wake(&made, opens):
                cipher_free(&made)
                raise MemoryError
        else:
            fallback = make_fallback(made.suite, key_bytes)
            made.fallback = <void *>fallback
            fm_incref(made.fallback)
    cipher_free(self)
    self[0] = made
    wipe(&made, sizeof(Cipher))  # the stack keeps nothing
    return 0


cdef inline void cipher_nonce(Cipher *self, int64_t number, uint8_t *nonce) noexcept nogil:
    """IV xor (path id 0, packet number)."""
    memcpy(nonce, self.iv, 4)
    store_u64(nonce + 4, load_u64(self.iv + 4) ^ <uint64_t>number)


cdef void null_tag(
    const uint8_t *nonce, const uint8_t *header, Py_ssize_t header_size,
    const uint8_t *text, Py_ssize_t size, uint8_t *tag
) noexcept nogil:
    """CRC-32 over nonce, header and text, then the nonce."""
    cdef uint32_t crc = fm_crc32(~<uint32_t>0, nonce, IV_SIZE)
    crc = fm_crc32(crc, header, header_size)
    crc = fm_crc32(crc, text, size)
    store_u32(tag, ~crc)
    memcpy(tag + 4, nonce, IV_SIZE)


cdef inline int64_t cipher_remaining(Cipher *self) noexcept nogil:
    """Packets that may still be sealed under this key (RFC 9001 §6.6)."""
    if self.suite == SUITE_AES_128_GCM or self.suite == SUITE_AES_256_GCM:
        return AES_GCM_PACKET_LIMIT - self.sealed
    return AES_GCM_PACKET_LIMIT


cdef bint cipher_seal(
    Cipher *self, int64_t number, const uint8_t *header, Py_ssize_t header_size,
    const uint8_t *text, Py_ssize_t size, uint8_t *out
) noexcept nogil:
    """Seals `size` bytes of `text` to `out` (perhaps `text` itself) and a tag; False if that fails."""
    cdef uint8_t nonce[IV_SIZE]
    cipher_nonce(self, number, nonce)
    self.sealed += 1
    if self.context != NULL:
        return fm_evp_seal(
            self.context, self.direct, nonce, header, <int>header_size, text, 0, text, <int>size, out
        )
    if self.fallback != NULL:
        return fallback_run(self.fallback, False, nonce, header, header_size, text, size, out)
    if out != text:
        fm_copy(out, text, size)
    null_tag(nonce, header, header_size, text, size, out + size)
    return True


cdef bint cipher_seal_parts(
    Cipher *self, int64_t number, const uint8_t *header, Py_ssize_t header_size,
    uint8_t *text, Py_ssize_t size, const uint8_t *source, uint8_t *source_at
) noexcept nogil:
    """Seals `text` in place; where `source` is given, what belongs from source_at on is still there."""
    cdef uint8_t nonce[IV_SIZE]
    cdef Py_ssize_t head_size, whole_blocks
    if source == NULL:
        return cipher_seal(self, number, header, header_size, text, size, text)
    head_size = source_at - text
    whole_blocks = min((head_size + 15) // 16 * 16, size)  # a part of a block would slow the cipher down
    memcpy(source_at, source, whole_blocks - head_size)
    source += whole_blocks - head_size
    cipher_nonce(self, number, nonce)
    self.sealed += 1
    return fm_evp_seal(
        self.context, self.direct, nonce, header, <int>header_size,
        text, <int>whole_blocks, source, <int>(size - whole_blocks), text,
    )


cdef bint cipher_open(
    Cipher *self, int64_t number, const uint8_t *header, Py_ssize_t header_size,
    const uint8_t *text, Py_ssize_t size, uint8_t *out
) noexcept nogil:
    """Opens `size` bytes of `text`, tag included, to `out`; False if they do not authenticate.

    The null suite writes nothing to NULL: its text is clear where it is.
    """
    cdef uint8_t nonce[IV_SIZE]
    cdef uint8_t tag[TAG_SIZE]
    if size < TAG_SIZE:
        return False
    cipher_nonce(self, number, nonce)
    if self.context != NULL:
        return fm_evp_open(
            self.context, self.direct, nonce, header, <int>header_size, text, <int>(size - TAG_SIZE), out
        )
    if self.fallback != NULL:
        return fallback_run(self.fallback, True, nonce, header, header_size, text, size, out)
    null_tag(nonce, header, header_size, text, size - TAG_SIZE, tag)
    if memcmp(tag, text + size - TAG_SIZE, TAG_SIZE) != 0:
        return False
    if out != NULL:
        fm_copy(out, text, size - TAG_SIZE)
    return True


@final
cdef class PacketProtection:
    """One key and IV of one direction. Nonce = IV xor packet number (path id 0).

    `sealed` packets count as sealed under the key already.
    """

    cdef Cipher sealer
    cdef Cipher opener

    def __init__(self, suite, key, iv, *, sealed=0):
        cdef int64_t count = as_wire(sealed)
        cdef bytes key_bytes = as_bytes(key)
        cdef bytes iv_bytes = as_bytes(iv)
        cipher_init(&self.sealer, suite, key_bytes, iv_bytes, False)
        cipher_init(&self.opener, suite, key_bytes, iv_bytes, True)
        self.sealer.sealed = count

    def __dealloc__(self):
        cipher_free(&self.sealer)
        cipher_free(&self.opener)

    def __reduce__(self):
        raise TypeError("cannot pickle or copy PacketProtection")

    def seal(self, packet_number, header, payload):
        """The protected payload: ciphertext and 16-byte tag, `header` authenticated with it.

        ProtocolError(AEAD_LIMIT_REACHED) at the suite's limit (RFC 9001 §6.6).
        """
        cdef int64_t number = as_wire(packet_number)
        cdef bytes associated = as_bytes(header)
        cdef bytes text = as_bytes(payload)
        cdef bytes out
        if not self.sealer.is_set:
            raise ValueError("no key")
        if cipher_remaining(&self.sealer) <= 0:
            raise ProtocolError(AEAD_LIMIT_REACHED, "too many packets under one key")
        out = PyBytes_FromStringAndSize(NULL, len(text) + TAG_SIZE)
        if not cipher_seal(
            &self.sealer, number, bytes_at(associated), len(associated),
            bytes_at(text), len(text), bytes_at(out),
        ):
            raise MemoryError
        return out

    def open(self, packet_number, header, payload):
        """The payload, None if it does not authenticate."""
        cdef int64_t number = as_wire(packet_number)
        cdef bytes associated = as_bytes(header)
        cdef bytes text = as_bytes(payload)
        cdef bytes out
        if not self.opener.is_set:
            raise ValueError("no key")
        if len(text) < TAG_SIZE:
            return None
        out = PyBytes_FromStringAndSize(NULL, len(text) - TAG_SIZE)
        if not cipher_open(
            &self.opener, number, bytes_at(associated), len(associated),
            bytes_at(text), len(text), bytes_at(out),
        ):
            return None
        return out


cdef inline uint8_t *bytes_at(bytes data) noexcept:
    return <uint8_t *>PyBytes_AS_STRING(data)
