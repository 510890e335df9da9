-- What Wireshark's Lua lacks: the ciphers and hashes that packets of fastmux are protected with.
--
-- Owns: AES and ChaCha20 as key streams, SHA-256 and SHA-384, HMAC, HKDF-Expand-Label. May not know: packets.
-- Nothing here is fast or safe against timing: it reads captures of which the keys are known. Tags are not
-- checked. Runs on Lua 5.2 to 5.4 (Wireshark 3 and 4), with whichever library of bit operations is there.

local M = {}

-- bit operations on 32 bits -----------------------------------------------------------------------------

local native = [[
  return {
    band = function(a, b) return a & b end,
    bxor = function(a, b) return (a ~ b) & 0xffffffff end,
    lshift = function(a, n) return (a << n) & 0xffffffff end,
    rshift = function(a, n) return (a & 0xffffffff) >> n end,
  }
]]
local bits = bit32 or (math.type and load(native)()) or bit
local band, bxor, lshift, rshift = bits.band, bits.bxor, bits.lshift, bits.rshift
local WORD = 4294967296

local function rotr(x, n) return bxor(rshift(x, n), lshift(x, 32 - n)) end
local function bnot(x) return bxor(x, 0xffffffff) end

local function words(text, count, at)
  local out = {}
  for i = 1, count do
    local a, b, c, d = text:byte(at, at + 3)
    out[i] = ((a * 256 + b) * 256 + c) * 256 + d
    at = at + 4
  end
  return out
end

local function bytes_of(word)
  word = word % WORD
  return string.char(rshift(word, 24) % 256, rshift(word, 16) % 256, rshift(word, 8) % 256, word % 256)
end

-- hashes --------------------------------------------------------------------------------------------------

-- The fractions of the cube roots of the first 80 primes (FIPS 180-4 §4.2): the upper and the lower half of
-- each. The upper halves of the first 64 are the constants of SHA-256.
local K = {
  0x428a2f98, 0xd728ae22, 0x71374491, 0x23ef65cd, 0xb5c0fbcf, 0xec4d3b2f, 0xe9b5dba5, 0x8189dbbc,
  0x3956c25b, 0xf348b538, 0x59f111f1, 0xb605d019, 0x923f82a4, 0xaf194f9b, 0xab1c5ed5, 0xda6d8118,
  0xd807aa98, 0xa3030242, 0x12835b01, 0x45706fbe, 0x243185be, 0x4ee4b28c, 0x550c7dc3, 0xd5ffb4e2,
  0x72be5d74, 0xf27b896f, 0x80deb1fe, 0x3b1696b1, 0x9bdc06a7, 0x25c71235, 0xc19bf174, 0xcf692694,
  0xe49b69c1, 0x9ef14ad2, 0xefbe4786, 0x384f25e3, 0x0fc19dc6, 0x8b8cd5b5, 0x240ca1cc, 0x77ac9c65,
  0x2de92c6f, 0x592b0275, 0x4a7484aa, 0x6ea6e483, 0x5cb0a9dc, 0xbd41fbd4, 0x76f988da, 0x831153b5,
  0x983e5152, 0xee66dfab, 0xa831c66d, 0x2db43210, 0xb00327c8, 0x98fb213f, 0xbf597fc7, 0xbeef0ee4,
  0xc6e00bf3, 0x3da88fc2, 0xd5a79147, 0x930aa725, 0x06ca6351, 0xe003826f, 0x14292967, 0x0a0e6e70,
  0x27b70a85, 0x46d22ffc, 0x2e1b2138, 0x5c26c926, 0x4d2c6dfc, 0x5ac42aed, 0x53380d13, 0x9d95b3df,
  0x650a7354, 0x8baf63de, 0x766a0abb, 0x3c77b2a8, 0x81c2c92e, 0x47edaee6, 0x92722c85, 0x1482353b,
  0xa2bfe8a1, 0x4cf10364, 0xa81a664b, 0xbc423001, 0xc24b8b70, 0xd0f89791, 0xc76c51a3, 0x0654be30,
  0xd192e819, 0xd6ef5218, 0xd6990624, 0x5565a910, 0xf40e3585, 0x5771202a, 0x106aa070, 0x32bbd1b8,
  0x19a4c116, 0xb8d2d0c8, 0x1e376c08, 0x5141ab53, 0x2748774c, 0xdf8eeb99, 0x34b0bcb5, 0xe19b48a8,
  0x391c0cb3, 0xc5c95a63, 0x4ed8aa4a, 0xe3418acb, 0x5b9cca4f, 0x7763e373, 0x682e6ff3, 0xd6b2b8a3,
  0x748f82ee, 0x5defb2fc, 0x78a5636f, 0x43172f60, 0x84c87814, 0xa1f0ab72, 0x8cc70208, 0x1a6439ec,
  0x90befffa, 0x23631e28, 0xa4506ceb, 0xde82bde9, 0xbef9a3f7, 0xb2c67915, 0xc67178f2, 0xe372532b,
  0xca273ece, 0xea26619c, 0xd186b8c7, 0x21c0c207, 0xeada7dd6, 0xcde0eb1e, 0xf57d4f7f, 0xee6ed178,
  0x06f067aa, 0x72176fba, 0x0a637dc5, 0xa2c898a6, 0x113f9804, 0xbef90dae, 0x1b710b35, 0x131c471b,
  0x28db77f5, 0x23047d84, 0x32caab7b, 0x40c72493, 0x3c9ebe0a, 0x15c9bebc, 0x431d67c4, 0x9c100d4c,
  0x4cc5d4be, 0xcb3e42b6, 0x597f299c, 0xfc657e2a, 0x5fcb6fab, 0x3ad6faec, 0x6c44198c, 0x4a475817,
}
local START_384 = {
  0xcbbb9d5d, 0xc1059ed8, 0x629a292a, 0x367cd507, 0x9159015a, 0x3070dd17, 0x152fecd8, 0xf70e5939,
  0x67332667, 0xffc00b31, 0x8eb44a87, 0x68581511, 0xdb0c2e0d, 0x64f98fa7, 0x47b5481d, 0xbefa4fa4,
}
local START_256 = {
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
}

local function padded(text, block)
  local length = #text
  local zeros = (-(length + 1 + block / 8)) % block
  return text .. "\128" .. string.rep("\0", zeros + block / 8 - 4) .. bytes_of(length * 8)
end

function M.sha256(text)
  local h = {}
  for i = 1, 8 do h[i] = START_256[i] end
  text = padded(text, 64)
  for at = 1, #text, 64 do
    local w = words(text, 16, at)
    for i = 17, 64 do
      local x, y = w[i - 15], w[i - 2]
      local s0 = bxor(bxor(rotr(x, 7), rotr(x, 18)), rshift(x, 3))
      local s1 = bxor(bxor(rotr(y, 17), rotr(y, 19)), rshift(y, 10))
      w[i] = (w[i - 16] + s0 % WORD + w[i - 7] + s1 % WORD) % WORD
    end
    local a, b, c, d, e, f, g, z = h[1], h[2], h[3], h[4], h[5], h[6], h[7], h[8]
    for i = 1, 64 do
      local s1 = bxor(bxor(rotr(e, 6), rotr(e, 11)), rotr(e, 25)) % WORD
      local choice = bxor(band(e, f), band(bnot(e), g)) % WORD
      local t1 = z + s1 + choice + K[2 * i - 1] + w[i]
      local s0 = bxor(bxor(rotr(a, 2), rotr(a, 13)), rotr(a, 22)) % WORD
      local majority = bxor(bxor(band(a, b), band(a, c)), band(b, c)) % WORD
      z, g, f, e, d, c, b, a = g, f, e, (d + t1) % WORD, c, b, a, (t1 + s0 + majority) % WORD
    end
    local sums = { a, b, c, d, e, f, g, z }
    for i = 1, 8 do h[i] = (h[i] + sums[i]) % WORD end
  end
  local out = {}
  for i = 1, 8 do out[i] = bytes_of(h[i]) end
  return table.concat(out)
end

-- 64-bit words of SHA-384 are pairs of an upper and a lower half.
local function rotr64(hi, lo, n)
  if n >= 32 then hi, lo, n = lo, hi, n - 32 end
  if n == 0 then return hi, lo end
  return bxor(rshift(hi, n), lshift(lo, 32 - n)), bxor(rshift(lo, n), lshift(hi, 32 - n))
end

local function sigma64(hi, lo, r1, r2, r3, shifts)
  local h1, l1 = rotr64(hi, lo, r1)
  local h2, l2 = rotr64(hi, lo, r2)
  local h3, l3
  if shifts then
    h3, l3 = rshift(hi, r3), bxor(rshift(lo, r3), lshift(hi, 32 - r3))
  else
    h3, l3 = rotr64(hi, lo, r3)
  end
  return bxor(bxor(h1, h2), h3) % WORD, bxor(bxor(l1, l2), l3) % WORD
end

local function carry(hi, lo)
  return (hi + math.floor(lo / WORD)) % WORD, lo % WORD
end

local function schedule64(text, at)
  local w = words(text, 32, at)
  for i = 17, 80 do
    local h, l = 2 * i - 1, 2 * i
    local h0, l0 = sigma64(w[h - 30], w[l - 30], 1, 8, 7, true)
    local h1, l1 = sigma64(w[h - 4], w[l - 4], 19, 61, 6, true)
    w[h], w[l] = carry(w[h - 32] + h0 + w[h - 14] + h1, w[l - 32] + l0 + w[l - 14] + l1)
  end
  return w
end

local function compress64(state, w)
  local v = {}
  for i = 1, 16 do v[i] = state[i] end
  for i = 1, 80 do
    local h, l = 2 * i - 1, 2 * i
    local h1, l1 = sigma64(v[9], v[10], 14, 18, 41)
    local hc = bxor(band(v[9], v[11]), band(bnot(v[9]), v[13])) % WORD
    local lc = bxor(band(v[10], v[12]), band(bnot(v[10]), v[14])) % WORD
    local ht, lt = carry(v[15] + h1 + hc + K[h] + w[h], v[16] + l1 + lc + K[l] + w[l])
    local h0, l0 = sigma64(v[1], v[2], 28, 34, 39)
    local hm = bxor(bxor(band(v[1], v[3]), band(v[1], v[5])), band(v[3], v[5])) % WORD
    local lm = bxor(bxor(band(v[2], v[4]), band(v[2], v[6])), band(v[4], v[6])) % WORD
    for j = 16, 3, -1 do v[j] = v[j - 2] end
    v[9], v[10] = carry(v[9] + ht, v[10] + lt)
    v[1], v[2] = carry(ht + h0 + hm, lt + l0 + lm)
  end
  for i = 1, 16, 2 do state[i], state[i + 1] = carry(state[i] + v[i], state[i + 1] + v[i + 1]) end
end

function M.sha384(text)
  local state = {}
  for i = 1, 16 do state[i] = START_384[i] end
  text = padded(text, 128)
  for at = 1, #text, 128 do compress64(state, schedule64(text, at)) end
  local out = {}
  for i = 1, 12 do out[i] = bytes_of(state[i]) end
  return table.concat(out)
end

-- By the size of their result: what a secret of that size was made with.
local HASHES = { [32] = { M.sha256, 64 }, [48] = { M.sha384, 128 } }

local function mask(key, block, value)
  local out = {}
  for i = 1, block do out[i] = string.char(bxor(key:byte(i) or 0, value) % 256) end
  return table.concat(out)
end

function M.hmac(key, text, size)
  local hash, block = HASHES[size][1], HASHES[size][2]
  if #key > block then key = hash(key) end
  return hash(mask(key, block, 0x5c) .. hash(mask(key, block, 0x36) .. text))
end

-- HKDF-Expand-Label without a context, of one block (RFC 8446 §7.1), with the hash of the secret's size.
function M.expand_label(secret, label, size)
  local full = "tls13 " .. label
  local info = string.char(0, size, #full) .. full .. "\0"
  return M.hmac(secret, info .. "\1", #secret):sub(1, size)
end

-- AES ----------------------------------------------------------------------------------------------------

local SBOX, T0, T1, T2, T3 = {}, {}, {}, {}, {}

local function double(x)
  x = x * 2
  return x > 255 and bxor(x, 0x11b) % 256 or x
end

do -- the S-box, and the tables that join it with MixColumns (FIPS 197)
  local power, log = {}, {}
  local x = 1
  for i = 0, 254 do
    power[i], log[x] = x, i
    x = bxor(x, double(x)) % 256
  end
  for i = 0, 255 do
    local inverse = i == 0 and 0 or power[(255 - log[i]) % 255]
    local s = inverse
    for n = 1, 4 do
      local turned = (lshift(inverse, n) + rshift(inverse, 8 - n)) % 256
      s = bxor(s, turned) % 256
    end
    s = bxor(s, 0x63) % 256
    local s2 = double(s)
    local s3 = bxor(s2, s) % 256
    SBOX[i] = s
    T0[i] = ((s2 * 256 + s) * 256 + s) * 256 + s3
    T1[i] = ((s3 * 256 + s2) * 256 + s) * 256 + s
    T2[i] = ((s * 256 + s3) * 256 + s2) * 256 + s
    T3[i] = ((s * 256 + s) * 256 + s3) * 256 + s2
  end
end

local function substituted(x)
  x = x % WORD
  return ((SBOX[rshift(x, 24) % 256] * 256 + SBOX[rshift(x, 16) % 256]) * 256 + SBOX[rshift(x, 8) % 256]) * 256
    + SBOX[x % 256]
end

local function round_keys(key)
  local n = #key / 4
  local w = words(key, n, 1)
  local constant = 1
  for i = n + 1, 4 * (n + 7) do
    local x = w[i - 1]
    if (i - 1) % n == 0 then
      x = bxor(substituted(bxor(lshift(x, 8), rshift(x, 24))), constant * 16777216)
      constant = double(constant)
    elseif n > 6 and (i - 1) % n == 4 then
      x = substituted(x)
    end
    w[i] = bxor(w[i - n], x) % WORD
  end
  return w, n + 6
end

local function aes_block(w, rounds, a, b, c, d)
  a, b, c, d = bxor(a, w[1]), bxor(b, w[2]), bxor(c, w[3]), bxor(d, w[4])
  local k = 5
  for _ = 2, rounds do
    local function mixed(p, q, r, s)
      local x = bxor(T0[rshift(p, 24) % 256], T1[rshift(q, 16) % 256])
      x = bxor(x, T2[rshift(r, 8) % 256])
      return bxor(x, T3[band(s, 255)])
    end
    a, b, c, d = bxor(mixed(a, b, c, d), w[k]), bxor(mixed(b, c, d, a), w[k + 1]),
      bxor(mixed(c, d, a, b), w[k + 2]), bxor(mixed(d, a, b, c), w[k + 3])
    k = k + 4
  end
  local function last(p, q, r, s, key)
    local x = ((SBOX[rshift(p, 24) % 256] * 256 + SBOX[rshift(q, 16) % 256]) * 256
      + SBOX[rshift(r, 8) % 256]) * 256 + SBOX[band(s, 255)]
    return bxor(x, key) % WORD
  end
  return last(a, b, c, d, w[k]), last(b, c, d, a, w[k + 1]), last(c, d, a, b, w[k + 2]), last(d, a, b, c, w[k + 3])
end

local function aes_stream(key, nonce)
  local w, rounds = round_keys(key)
  local n = words(nonce, 3, 1)
  return 4, function(number) -- block 1 is the tag's
    local a, b, c, d = aes_block(w, rounds, n[1], n[2], n[3], number + 1)
    return { a, b, c, d }
  end
end

-- ChaCha20 (RFC 8439) ------------------------------------------------------------------------------------

local function swapped(x)
  x = x % WORD
  return ((x % 256 * 256 + rshift(x, 8) % 256) * 256 + rshift(x, 16) % 256) * 256 + rshift(x, 24) % 256
end

local ROUNDS = {
  { 1, 5, 9, 13 }, { 2, 6, 10, 14 }, { 3, 7, 11, 15 }, { 4, 8, 12, 16 },
  { 1, 6, 11, 16 }, { 2, 7, 12, 13 }, { 3, 8, 9, 14 }, { 4, 5, 10, 15 },
}

local function quarter(x, a, b, c, d)
  for _, turns in ipairs({ { 16, 12 }, { 8, 7 } }) do
    x[a] = (x[a] + x[b]) % WORD
    x[d] = rotr(bxor(x[d], x[a]), 32 - turns[1]) % WORD
    x[c] = (x[c] + x[d]) % WORD
    x[b] = rotr(bxor(x[b], x[c]), 32 - turns[2]) % WORD
  end
end

local function chacha_stream(key, nonce)
  local start = words("expand 32-byte k" .. key .. "\0\0\0\0" .. nonce, 16, 1)
  for i = 1, 16 do start[i] = swapped(start[i]) end
  return 16, function(number) -- block 0 is the tag's
    start[13] = number
    local x = {}
    for i = 1, 16 do x[i] = start[i] end
    for _ = 1, 10 do
      for _, r in ipairs(ROUNDS) do quarter(x, r[1], r[2], r[3], r[4]) end
    end
    for i = 1, 16 do x[i] = swapped((x[i] + start[i]) % WORD) end
    return x
  end
end

-- packets --------------------------------------------------------------------------------------------------

M.SUITES = {
  [0x1301] = { key_size = 16, stream = aes_stream },
  [0x1302] = { key_size = 32, stream = aes_stream },
  [0x1303] = { key_size = 32, stream = chacha_stream },
}

-- The key and IV that follow from a secret (docs/wire-format.md §5).
function M.keys(secret, suite)
  local label = M.expand_label
  return { suite = suite, key = label(secret, "fastmux key", suite.key_size), iv = label(secret, "fastmux iv", 12) }
end

-- The payload behind `sealed` (without its tag), under these keys. The number is at most 2^53.
function M.open(keys, number, sealed)
  local high = math.floor(number / WORD)
  local counted = "\0\0\0\0" .. bytes_of(high) .. bytes_of(number)
  local nonce = {}
  for i = 1, 12 do nonce[i] = string.char(bxor(keys.iv:byte(i), counted:byte(i)) % 256) end
  local count, block = keys.suite.stream(keys.key, table.concat(nonce))
  local size = 4 * count
  local out = {}
  local rest = #sealed % size
  local whole = rest == 0 and sealed or sealed .. string.rep("\0", size - rest)
  for number_of = 1, #whole / size do
    local stream = block(number_of)
    local data = words(whole, count, (number_of - 1) * size + 1)
    for i = 1, count do out[#out + 1] = bytes_of(bxor(stream[i], data[i])) end
  end
  return table.concat(out):sub(1, #sealed)
end

function M.from_hex(text)
  return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

return M
