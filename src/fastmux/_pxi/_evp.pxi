# AEAD by EVP of the libcrypto that the interpreter itself has loaded: no headers, nothing bundled.
# Owns: finding the symbols, one packet sealed or opened. May not know: nonces, packets, keys' origin.

cdef extern from *:
    """
    #ifdef _WIN32
    #include <windows.h>
    typedef HMODULE fm_library;
    static fm_library fm_library_at(const char *path) {
        static const char *const names[] = {
            "libcrypto-3.dll", "libcrypto-3-x64.dll", "libcrypto-3-arm64.dll"};
        (void)path;
        for (int place = 0; place < 3; place++) {
            fm_library found = GetModuleHandleA(names[place]);
            if (found) return found;
        }
        return NULL;
    }
    static void *fm_symbol(fm_library library, const char *name) {
        return (void *)GetProcAddress(library, name);
    }
    #else
    #include <dlfcn.h>
    typedef void *fm_library;
    static fm_library fm_library_at(const char *path) { return dlopen(path, RTLD_LAZY | RTLD_LOCAL); }
    static void *fm_symbol(fm_library library, const char *name) { return dlsym(library, name); }
    #endif

    enum { FM_GET_TAG = 0x10, FM_SET_TAG = 0x11, FM_TAG = 16 };  /* EVP_CTRL_AEAD_GET_TAG, _SET_TAG */
    typedef int (*fm_evp_init)(void *, const void *, void *, const unsigned char *, const unsigned char *);
    typedef int (*fm_evp_update)(void *, unsigned char *, int *, const unsigned char *, int);
    typedef int (*fm_evp_final)(void *, unsigned char *, int *);
    typedef struct {  /* OSSL_PARAM of <openssl/core.h>, part of the ABI of OpenSSL 3 */
        const char *key;
        unsigned int data_type;
        void *data;
        size_t data_size;
        size_t return_size;
    } fm_param;
    enum { FM_OCTETS = 5 };  /* OSSL_PARAM_OCTET_STRING */
    static struct {
        void *(*context_new)(void);
        void (*context_free)(void *);
        int (*control)(void *, int, int, void *);
        void (*clear_errors)(void);
        fm_evp_init seal_init, open_init;
        fm_evp_update seal_update, open_update;
        fm_evp_final seal_final, open_final;
        const void *ciphers[4];  /* by suite */
        int (*set_params)(void *, const fm_param *), (*get_params)(void *, fm_param *);
        int has_direct_gcm;
    } fm_evp;

    /* Fetched once: without it every init looks the cipher up again (OpenSSL 3). */
    static const void *fm_cipher(fm_library library, const char *name, const char *getter) {
        void *(*fetch)(void *, const char *, const char *) =
            (void *(*)(void *, const char *, const char *))fm_symbol(library, "EVP_CIPHER_fetch");
        const void *(*get)(void) = (const void *(*)(void))fm_symbol(library, getter);
        const void *cipher = fetch ? fetch(NULL, name, NULL) : NULL;
        return cipher || !get ? cipher : get();
    }

    static void *fm_evp_new(int suite, int opens, const unsigned char *key, const unsigned char *iv) {
        void *context = fm_evp.context_new();
        fm_evp_init init = opens ? fm_evp.open_init : fm_evp.seal_init;
        if (context && init(context, fm_evp.ciphers[suite], NULL, key, iv) == 1) return context;
        if (context) fm_evp.context_free(context);
        fm_evp.clear_errors();
        return NULL;
    }
    static void fm_evp_free(void *context) { fm_evp.context_free(context); }

    /* AES-GCM takes the nonce as the parameter by which TLS restores a whole IV (a size of all ones), the tag
     * beside it: one call where an init and a control are two, each of which looks parameters up by name. */
    static int fm_gcm_nonce(void *context, const uint8_t *nonce, const uint8_t *tag) {
        fm_param params[] = {
            {"tlsivfixed", FM_OCTETS, (void *)nonce, (size_t)-1, 0},
            {tag ? "tag" : NULL, FM_OCTETS, (void *)tag, FM_TAG, 0},
            {NULL, 0, NULL, 0, 0},
        };
        return fm_evp.set_params(context, params) == 1;
    }
    static int fm_gcm_tag(void *context, uint8_t *tag) {
        fm_param params[] = {{"tag", FM_OCTETS, tag, FM_TAG, 0}, {NULL, 0, NULL, 0, 0}};
        return fm_evp.get_params(context, params) == 1;
    }

    /* `head` and `text` become one ciphertext at `out` (where `head` may be already), its tag behind it. */
    static int fm_evp_seal(void *context, int direct, const uint8_t *nonce,
                           const uint8_t *header, int header_size, const uint8_t *head, int head_size,
                           const uint8_t *text, int size, uint8_t *out) {
        int done = 0;
        uint8_t *tag = out + head_size + size;
        if (!(direct ? fm_gcm_nonce(context, nonce, NULL)
                     : fm_evp.seal_init(context, NULL, NULL, NULL, nonce) == 1)
            || fm_evp.seal_update(context, NULL, &done, header, header_size) != 1
            || (head_size && fm_evp.seal_update(context, out, &done, head, head_size) != 1)
            || (size && fm_evp.seal_update(context, out + head_size, &done, text, size) != 1)
            || fm_evp.seal_final(context, tag, &done) != 1)
            return 0;
        return direct ? fm_gcm_tag(context, tag) : fm_evp.control(context, FM_GET_TAG, FM_TAG, tag) == 1;
    }

    /* `size` counts ciphertext without its tag, which is behind it. */
    static int fm_evp_open(void *context, int direct, const uint8_t *nonce,
                           const uint8_t *header, int header_size,
                           const uint8_t *text, int size, uint8_t *out) {
        int done = 0;
        const uint8_t *tag = text + size;
        if ((direct ? fm_gcm_nonce(context, nonce, tag)
                    : fm_evp.open_init(context, NULL, NULL, NULL, nonce) == 1
                          && fm_evp.control(context, FM_SET_TAG, FM_TAG, (void *)tag) == 1)
            && fm_evp.open_update(context, NULL, &done, header, header_size) == 1
            && (!size || fm_evp.open_update(context, out, &done, text, size) == 1)
            && fm_evp.open_final(context, out + size, &done) == 1)
            return 1;
        fm_evp.clear_errors();  /* `ssl` in this thread would report them as its own */
        return 0;
    }

    /* The direct way is used only where it gives, on one pair of contexts, what the ordinary way gives. */
    static int fm_gcm_is_direct(void) {
        static const uint8_t key[16] = {7}, header[13] = {0x40};
        uint8_t nonce[12] = {1}, text[48] = {3}, plain[64], direct[64], back[48];
        void *sealer = fm_evp_new(1, 0, key, nonce), *opener = fm_evp_new(1, 1, key, nonce);
        int works = sealer && opener && fm_evp.set_params && fm_evp.get_params;
        for (int round = 0; works && round < 4; round++) {
            nonce[11] = (uint8_t)(round * 5);
            works = fm_evp_seal(sealer, 0, nonce, header, 13, NULL, 0, text, 48, plain)
                && fm_evp_seal(sealer, 1, nonce, header, 13, text, 16, text + 16, 32, direct)
                && memcmp(plain, direct, 64) == 0
                && fm_evp_open(opener, 1, nonce, header, 13, direct, 48, back)
                && memcmp(back, text, 48) == 0;
            direct[round * 16] ^= 1;  /* the last round damages the tag */
            works = works && !fm_evp_open(opener, 1, nonce, header, 13, direct, 48, back);
        }
        if (sealer) fm_evp_free(sealer);
        if (opener) fm_evp_free(opener);
        fm_evp.clear_errors();
        return works;
    }

    #define FM_FIND(field, name) (*(void **)&fm_evp.field = fm_symbol(library, name), fm_evp.field != NULL)
    static int fm_evp_load(const char *path) {
        fm_library library = fm_library_at(path);
        if (!library
            || !FM_FIND(context_new, "EVP_CIPHER_CTX_new") || !FM_FIND(context_free, "EVP_CIPHER_CTX_free")
            || !FM_FIND(control, "EVP_CIPHER_CTX_ctrl") || !FM_FIND(clear_errors, "ERR_clear_error")
            || !FM_FIND(seal_init, "EVP_EncryptInit_ex") || !FM_FIND(open_init, "EVP_DecryptInit_ex")
            || !FM_FIND(seal_update, "EVP_EncryptUpdate") || !FM_FIND(open_update, "EVP_DecryptUpdate")
            || !FM_FIND(seal_final, "EVP_EncryptFinal_ex") || !FM_FIND(open_final, "EVP_DecryptFinal_ex"))
            return 0;
        fm_evp.ciphers[1] = fm_cipher(library, "AES-128-GCM", "EVP_aes_128_gcm");
        fm_evp.ciphers[2] = fm_cipher(library, "AES-256-GCM", "EVP_aes_256_gcm");
        fm_evp.ciphers[3] = fm_cipher(library, "ChaCha20-Poly1305", "EVP_chacha20_poly1305");
        fm_evp.clear_errors();
        if (!fm_evp.ciphers[1] || !fm_evp.ciphers[2] || !fm_evp.ciphers[3]) return 0;
        fm_evp.has_direct_gcm = FM_FIND(set_params, "EVP_CIPHER_CTX_set_params")
            && FM_FIND(get_params, "EVP_CIPHER_CTX_get_params") && fm_gcm_is_direct();
        return 1;
    }
    static int fm_evp_is_direct(int suite) { return fm_evp.has_direct_gcm && (suite == 1 || suite == 2); }
    """
    bint fm_evp_load(const char *path)
    bint fm_evp_is_direct(int suite) noexcept nogil
    void *fm_evp_new(int suite, int opens, const uint8_t *key, const uint8_t *iv) noexcept nogil
    void fm_evp_free(void *context) noexcept nogil
    bint fm_evp_seal(
        void *context, bint direct, const uint8_t *nonce, const uint8_t *header, int header_size,
        const uint8_t *head, int head_size, const uint8_t *text, int size, uint8_t *out
    ) noexcept nogil
    bint fm_evp_open(
        void *context, bint direct, const uint8_t *nonce, const uint8_t *header, int header_size,
        const uint8_t *text, int size, uint8_t *out
    ) noexcept nogil


_aead_backend = ""  # "evp" or "cryptography"; found with the first key


cdef str find_aead():
    """Looks for EVP once, through the `_ssl` module that the interpreter has loaded libcrypto for."""
    global _aead_backend
    if _aead_backend:
        return _aead_backend
    path = None
    try:
        import _ssl

        path = _ssl.__file__
    except (ImportError, AttributeError):
        pass  # no _ssl, or one linked into the interpreter: its symbols may be the program's own
    if path is not None:
        found = fm_evp_load(os.fsencode(path))
    else:
        found = fm_evp_load(NULL)
    _aead_backend = "evp" if found else "cryptography"
    return _aead_backend
