# CRC-32 (ISO-HDLC, as zlib's): slicing by 8, and carry-less multiplication where the processor has it.
# Owns: the checksum. May not know: packets.

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    static uint32_t fm_crc_table[8][256];

    static void fm_crc32_prepare(void) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t value = byte;
            for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ (0xEDB88320u & (0u - (value & 1u)));
            fm_crc_table[0][byte] = value;
        }
        for (int slice = 1; slice < 8; slice++)
            for (int byte = 0; byte < 256; byte++) {
                uint32_t before = fm_crc_table[slice - 1][byte];
                fm_crc_table[slice][byte] = (before >> 8) ^ fm_crc_table[0][before & 0xFF];
            }
    }

    /* The raw register: neither inverted at the start nor at the end. */
    static uint32_t fm_crc32_slices(uint32_t crc, const uint8_t *data, size_t size) {
        for (; size >= 8; data += 8, size -= 8) {
            crc ^= (uint32_t)data[0] | (uint32_t)data[1] << 8
                 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
            crc = fm_crc_table[7][crc & 0xFF] ^ fm_crc_table[6][(crc >> 8) & 0xFF]
                ^ fm_crc_table[5][(crc >> 16) & 0xFF] ^ fm_crc_table[4][crc >> 24]
                ^ fm_crc_table[3][data[4]] ^ fm_crc_table[2][data[5]]
                ^ fm_crc_table[1][data[6]] ^ fm_crc_table[0][data[7]];
        }
        for (; size; data++, size--) crc = (crc >> 8) ^ fm_crc_table[0][(crc ^ *data) & 0xFF];
        return crc;
    }

    #if defined(__x86_64__) && (defined(__clang__) || __GNUC__ >= 9)
    #include <immintrin.h>
    #define FM_FOLD(value, by) \\
        _mm_xor_si128(_mm_clmulepi64_si128(value, by, 0x00), _mm_clmulepi64_si128(value, by, 0x11))
    #define FM_FOLD_TWO(value, by) \\
        _mm256_xor_si256( \\
            _mm256_clmulepi64_epi128(value, by, 0x00), _mm256_clmulepi64_epi128(value, by, 0x11))
    #define FM_BY_64 _mm_set_epi64x(0x01c6e41596, 0x0154442bd4) /* x^(512 -+ 32) mod P, reflected */
    #define FM_BY_16 _mm_set_epi64x(0x00ccaa009e, 0x01751997d0) /* x^(128 -+ 32) */

    /* Four lanes that stand for all bytes so far: folded over the rest by 64 bytes a step, then 16; what is
       left is a 16-byte message with the same remainder. */
    __attribute__((target("pclmul,sse4.1")))
    static uint32_t fm_crc32_finish(__m128i *lanes, const uint8_t *data, size_t size) {
        uint8_t rest[16];
        for (; size >= 64; data += 64, size -= 64)
            for (int lane = 0; lane < 4; lane++)
                lanes[lane] = _mm_xor_si128(
                    FM_FOLD(lanes[lane], FM_BY_64), _mm_loadu_si128((const __m128i *)(data + 16 * lane)));
        for (int lane = 1; lane < 4; lane++)
            lanes[0] = _mm_xor_si128(FM_FOLD(lanes[0], FM_BY_16), lanes[lane]);
        for (; size >= 16; data += 16, size -= 16)
            lanes[0] = _mm_xor_si128(FM_FOLD(lanes[0], FM_BY_16), _mm_loadu_si128((const __m128i *)data));
        _mm_storeu_si128((__m128i *)rest, lanes[0]);
        return fm_crc32_slices(fm_crc32_slices(0, rest, 16), data, size);
    }

    __attribute__((target("pclmul,sse4.1")))
    static uint32_t fm_crc32_folded(uint32_t crc, const uint8_t *data, size_t size) {
        __m128i lanes[4];
        for (int lane = 0; lane < 4; lane++)
            lanes[lane] = _mm_loadu_si128((const __m128i *)(data + 16 * lane));
        lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi32_si128((int)crc));
        return fm_crc32_finish(lanes, data + 64, size - 64);
    }

    /* The same with two lanes a register, 128 bytes a step. size >= 128. */
    __attribute__((target("vpclmulqdq,avx2,pclmul,sse4.1")))
    static uint32_t fm_crc32_wide(uint32_t crc, const uint8_t *data, size_t size) {
        const __m256i by_128 = _mm256_set_epi64x(0x014a7fe880, 0x01e88ef372, 0x014a7fe880, 0x01e88ef372);
        const __m256i by_64 = _mm256_broadcastsi128_si256(FM_BY_64);
        __m256i pairs[4];
        __m128i lanes[4];
        for (int pair = 0; pair < 4; pair++)
            pairs[pair] = _mm256_loadu_si256((const __m256i *)(data + 32 * pair));
        pairs[0] = _mm256_xor_si256(pairs[0], _mm256_set_epi64x(0, 0, 0, crc));
        for (data += 128, size -= 128; size >= 128; data += 128, size -= 128)
            for (int pair = 0; pair < 4; pair++)
                pairs[pair] = _mm256_xor_si256(
                    FM_FOLD_TWO(pairs[pair], by_128),
                    _mm256_loadu_si256((const __m256i *)(data + 32 * pair)));
        for (int pair = 0; pair < 2; pair++) {
            pairs[pair] = _mm256_xor_si256(FM_FOLD_TWO(pairs[pair], by_64), pairs[pair + 2]);
            lanes[2 * pair] = _mm256_castsi256_si128(pairs[pair]);
            lanes[2 * pair + 1] = _mm256_extracti128_si256(pairs[pair], 1);
        }
        return fm_crc32_finish(lanes, data, size);
    }
    static int fm_crc_can_fold, fm_crc_can_fold_wide;
    static void fm_crc32_choose(void) {
        __builtin_cpu_init();
        fm_crc_can_fold = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
        fm_crc_can_fold_wide = fm_crc_can_fold && __builtin_cpu_supports("avx2")
            && __builtin_cpu_supports("vpclmulqdq");
    }
    #else
    #define fm_crc_can_fold 0
    #define fm_crc_can_fold_wide 0
    #define fm_crc32_folded fm_crc32_slices
    #define fm_crc32_wide fm_crc32_slices
    static void fm_crc32_choose(void) {}
    #endif

    static CYTHON_INLINE uint32_t fm_crc32(uint32_t crc, const uint8_t *data, size_t size) {
        if (size >= 256 && fm_crc_can_fold_wide) return fm_crc32_wide(crc, data, size);
        if (size >= 64 && fm_crc_can_fold) return fm_crc32_folded(crc, data, size);
        return fm_crc32_slices(crc, data, size);
    }
    """
    void fm_crc32_prepare()
    void fm_crc32_choose()
    uint32_t fm_crc32(uint32_t crc, const uint8_t *data, size_t size) noexcept nogil

fm_crc32_prepare()
fm_crc32_choose()
