-- Wireshark dissector for fastmux (docs/wire-format.md, docs/observability.md).
--
-- Owns: headers, connections and their keys. May not know: the layout of frames (fastmux_frames.lua), ciphers
-- (fastmux_crypto.lua). All three files belong into one directory: the personal plugins of Wireshark, or any
-- other with `-X lua_script:.../fastmux.lua`.
--
-- Frames are shown of handshake packets (anybody can open them), of PLAINTEXT connections, and of those whose
-- secrets are in a key log: preference `fastmux.keylog_file`, else $SSLKEYLOGFILE. For all of that the capture
-- must hold the beginning of the connection. Tags are not checked: what is forged or damaged looks malformed.

local here = (__DIR__ or debug.getinfo(1, "S").source:match("^@(.*[/\\])") or "./"):gsub("[^/\\]$", "%0/")
local crypto = dofile(here .. "fastmux_crypto.lua")
local frames = dofile(here .. "fastmux_frames.lua")

local fastmux = Proto("fastmux", "fastmux")

local VERSION_1, VERSION_PLAINTEXT = 0x664d7801, 0x664d78f1
local VERSIONS = { [0] = "version negotiation", [VERSION_1] = "1", [VERSION_PLAINTEXT] = "PLAINTEXT" }
local TYPES = { [0] = "HANDSHAKE", [3] = "RETRY" }
local SALT = crypto.from_hex("9b1fd0c3f6a84e7f8a2d0c9be5c1f0a7734e6a5d")
local TAG_SIZE = 16

local F = {
  form = ProtoField.string("fastmux.form", "Form"),
  first = ProtoField.uint8("fastmux.first_byte", "First byte", base.HEX),
  type = ProtoField.uint8("fastmux.type", "Type", base.DEC, TYPES),
  phase = ProtoField.uint8("fastmux.key_phase", "Key phase", base.DEC),
  version = ProtoField.uint32("fastmux.version", "Version", base.HEX, VERSIONS),
  supported = ProtoField.uint32("fastmux.supported_version", "Supported version", base.HEX, VERSIONS),
  dcid_size = ProtoField.uint8("fastmux.dcid_length", "Destination id length", base.DEC),
  dcid = ProtoField.bytes("fastmux.dcid", "Destination connection id"),
  scid_size = ProtoField.uint8("fastmux.scid_length", "Source id length", base.DEC),
  scid = ProtoField.bytes("fastmux.scid", "Source connection id"),
  token_size = ProtoField.uint16("fastmux.token_length", "Token length", base.DEC),
  token = ProtoField.bytes("fastmux.token", "Token"),
  number = ProtoField.uint32("fastmux.packet_number", "Packet number (lower 32 bits)", base.DEC),
  payload = ProtoField.bytes("fastmux.payload", "Protected payload"),
  tag = ProtoField.bytes("fastmux.tag", "Tag"),
  connection = ProtoField.bytes("fastmux.connection", "Connection (the client's first destination id)"),
  from = ProtoField.string("fastmux.from", "Sent by"),
  opened = ProtoField.string("fastmux.opened_by", "Opened by"),
}
fastmux.fields = {}
do
  local all = {}
  for _, each in pairs(F) do all[#all + 1] = each end
  for _, each in ipairs(frames.fields) do all[#all + 1] = each end
  fastmux.fields = all
end

local sealed_info = ProtoExpert.new("fastmux.sealed", "No key for this packet", expert.group.DECRYPTION, expert.severity.NOTE)
local malformed_info = ProtoExpert.new("fastmux.malformed", "Malformed frame, or the wrong key", expert.group.MALFORMED, expert.severity.WARN)
fastmux.experts = { sealed_info, malformed_info }

fastmux.prefs.keylog_file = Pref.string("Key log file", "", "Lines of SSLKEYLOGFILE; empty: what that variable names")
fastmux.prefs.id_size = Pref.uint("Connection id length", 8, "Of short headers whose connection the capture does not begin")

-- connections ---------------------------------------------------------------------------------------------

-- By id: { connection, is_to_client }. A connection: first_id, version, random, suite, keys, phases.
local by_id, id_sizes, packets, secrets = {}, {}, {}, {}
local key_file_size = -1

function fastmux.init()
  by_id, id_sizes, packets, secrets, key_file_size = {}, {}, {}, {}, -1
end

local function register(id, connection, is_to_client)
  if #id > 0 and not by_id[id] then
    by_id[id] = { connection, is_to_client }
    id_sizes[#id] = true
  end
end

-- The connection of a long header, made if the capture has not shown it before; and who it is sent to.
local function of_long_header(version, kind, dcid, scid)
  local known = by_id[dcid]
  if not known and kind == 0 and #dcid >= 8 then
    register(dcid, { first_id = dcid, version = version, phases = {}, keys = {} }, false)
    known = by_id[dcid]
  end
  if not known then return nil end
  register(scid, known[1], not known[2])
  return known[1], known[2]
end

local function of_short_header(tvb)
  for size in pairs(id_sizes) do
    if tvb:len() > size + 5 then
      local known = by_id[tvb:raw(1, size)]
      if known then return known[1], known[2], size end
    end
  end
end

-- keys ----------------------------------------------------------------------------------------------------

local function read_key_log()
  local path = fastmux.prefs.keylog_file
  if path == "" then path = os.getenv("SSLKEYLOGFILE") or "" end
  local file = path ~= "" and io.open(path, "r")
  if not file then return end
  local size = file:seek("end")
  if size ~= key_file_size then -- a live capture: the log grows
    key_file_size = size
    file:seek("set")
    for line in file:lines() do
      local side, generation, random, secret = line:match("^FASTMUX_(%u+)_TRAFFIC_(%d+) (%x+) (%x+)")
      if side then secrets[side .. generation .. " " .. crypto.from_hex(random)] = crypto.from_hex(secret) end
    end
  end
  file:close()
end

local function handshake_keys(connection, side)
  local name = "handshake " .. side
  if not connection.keys[name] then
    local secret = crypto.hmac(SALT, connection.first_id, 32)
    secret = crypto.expand_label(secret, side == "CLIENT" and "client hs" or "server hs", 32)
    connection.keys[name] = crypto.keys(secret, crypto.SUITES[0x1301])
  end
  return connection.keys[name]
end

-- A secret from the log, or by the ratchet from the newest one before (§5.4).
local function secret_of(connection, side, generation)
  local known = generation
  local secret
  while known >= 0 and not secret do
    secret = secrets[side .. known .. " " .. connection.random]
    known = known - 1
  end
  for _ = known + 2, secret and generation or 0 do
    secret = crypto.expand_label(secret, "fastmux ku", #secret)
  end
  return secret
end

local function application_keys(connection, side, generation)
  local suite = connection.suite and crypto.SUITES[connection.suite]
  if not connection.random or not suite then return nil end
  local name = side .. generation
  if not connection.keys[name] then
    local secret = secret_of(connection, side, generation)
    if not secret then
      read_key_log()
      secret = secret_of(connection, side, generation)
    end
    secrets[name .. " " .. connection.random] = secret
    connection.keys[name] = secret and crypto.keys(secret, suite)
  end
  return connection.keys[name]
end

-- The whole number and the key generation of a packet, by what came before it in its direction.
local function place_of(connection, side, truncated, phase)
  local state = connection.phases[side] or { largest = truncated, generation = 0, began_at = 0 }
  connection.phases[side] = state
  local number = truncated + math.floor(state.largest / 2 ^ 32) * 2 ^ 32
  if number < state.largest - 2 ^ 31 then number = number + 2 ^ 32 end
  if number > state.largest + 2 ^ 31 and number >= 2 ^ 32 then number = number - 2 ^ 32 end
  local generation = state.generation
  if phase ~= generation % 2 then
    if number > state.began_at then
      generation = generation + 1
      state.generation, state.began_at = generation, number
    else
      generation = math.max(generation - 1, 0) -- one of the old keys that came late
    end
  end
  state.largest = math.max(state.largest, number)
  return number, generation
end

-- What the hello of either side says: the client's random, the suite that the server chose.
local function look_at_hello(connection, side, data)
  local record = data:raw()
  if side == "CLIENT" and not connection.random and #record >= 43 and record:byte(1) == 22 then
    connection.random = record:sub(12, 43)
  elseif side == "SERVER" and #record >= 47 and record:byte(1) == 22 then
    local at = 45 + record:byte(44)
    local high, low = record:byte(at, at + 1)
    if low then connection.suite = high * 256 + low end
  end
end

-- dissection ----------------------------------------------------------------------------------------------

local function show_frames(tvb, start, size, tree, pinfo, connection, side)
  local seen = {
    handshake = function(offset, range)
      if offset == 0 and connection.version ~= VERSION_PLAINTEXT then look_at_hello(connection, side, range) end
    end,
    new_id = function(id) register(id:raw(), connection, side == "CLIENT") end,
  }
  local names, is_whole = frames.show(tvb, start, size, tree, seen)
  if not is_whole then tree:add_proto_expert_info(malformed_info) end
  local counts, order = {}, {}
  for _, name in ipairs(names) do
    if not counts[name] then order[#order + 1] = name end
    counts[name] = (counts[name] or 0) + 1
  end
  for i, name in ipairs(order) do
    order[i] = counts[name] > 1 and string.format("%s(%d)", name, counts[name]) or name
  end
  pinfo.cols.info:append(": " .. table.concat(order, ", "))
end

-- Open what `keys` protect and show it in a tab of its own.
local function show_opened(tvb, at, size, tree, pinfo, connection, side, keys, number)
  local opened = crypto.open(keys, number, tvb:raw(at, size))
  local clear = ByteArray.new(opened, true):tvb("Opened payload")
  show_frames(clear, 0, size, tree, pinfo, connection, side)
end

local function show_payload(tvb, at, tree)
  local size = tvb:len() - at - TAG_SIZE
  if size <= 0 then return 0 end
  tree:add(F.payload, tvb(at, size))
  tree:add(F.tag, tvb(at + size, TAG_SIZE))
  return size
end

local function show_connection(tree, connection, side)
  tree:add(F.connection, ByteArray.new(connection.first_id, true):tvb("id")()):set_generated()
  tree:add(F.from, side:lower()):set_generated()
end

local function dissect_long(tvb, pinfo, tree)
  local kind = math.floor(tvb(0, 1):uint() / 16) % 4
  local version = tvb(1, 4):uint()
  local at = 5
  local function id(size_field, what)
    local size = tvb(at, 1):uint()
    tree:add(size_field, tvb(at, 1))
    local value = ""
    if size > 0 then
      value = tvb:raw(at + 1, size)
      tree:add(what, tvb(at + 1, size))
    end
    at = at + 1 + size
    return value
  end
  tree:add(F.type, tvb(0, 1), kind)
  tree:add(F.version, tvb(1, 4))
  local dcid, scid = id(F.dcid_size, F.dcid), id(F.scid_size, F.scid)
  if version == 0 then
    pinfo.cols.info = "Version negotiation"
    while at + 4 <= tvb:len() do
      tree:add(F.supported, tvb(at, 4))
      at = at + 4
    end
    return
  end
  pinfo.cols.info = TYPES[kind] or "unknown type"
  local connection, is_to_client = of_long_header(version, kind, dcid, scid)
  local side = is_to_client and "SERVER" or "CLIENT"
  if connection then show_connection(tree, connection, side) end
  if kind ~= 0 then
    tree:add(F.token, tvb(at, tvb:len() - at - TAG_SIZE))
    tree:add(F.tag, tvb(tvb:len() - TAG_SIZE, TAG_SIZE))
    return
  end
  local size_size = 2 ^ math.floor(tvb(at, 1):uint() / 64)
  local token_size = tvb(at, size_size):uint() % (2 ^ (8 * size_size - 2))
  tree:add(F.token_size, tvb(at, size_size), token_size)
  at = at + size_size
  if token_size > 0 then tree:add(F.token, tvb(at, token_size)) end
  at = at + token_size
  tree:add(F.number, tvb(at, 4))
  local number = tvb(at, 4):uint()
  pinfo.cols.info:append(", " .. side:lower() .. " " .. number)
  at = at + 4
  local size = show_payload(tvb, at, tree)
  if connection and size > 0 then
    tree:add(F.opened, "the client's first destination id"):set_generated()
    show_opened(tvb, at, size, tree, pinfo, connection, side, handshake_keys(connection, side), number)
  end
end

local function dissect_short(tvb, pinfo, tree)
  local connection, is_to_client, id_size = of_short_header(tvb)
  id_size = id_size or fastmux.prefs.id_size
  if tvb:len() < 5 + id_size + TAG_SIZE then return end
  local phase = math.floor(tvb(0, 1):uint() / 4) % 2
  tree:add(F.phase, tvb(0, 1), phase)
  tree:add(F.dcid, tvb(1, id_size))
  tree:add(F.number, tvb(1 + id_size, 4))
  local truncated = tvb(1 + id_size, 4):uint()
  local at = 5 + id_size
  pinfo.cols.info = "Application"
  if not connection then
    pinfo.cols.info:append(", " .. truncated)
    show_payload(tvb, at, tree)
    return
  end
  local side = is_to_client and "SERVER" or "CLIENT"
  show_connection(tree, connection, side)
  pinfo.cols.info:append(", " .. side:lower() .. " " .. truncated)
  local size = show_payload(tvb, at, tree)
  if size <= 0 then return end
  if connection.version == VERSION_PLAINTEXT then
    show_frames(tvb, at, size, tree, pinfo, connection, side)
    return
  end
  -- Wireshark shows packets again, in any order: what depends on the order is worked out once.
  local place = packets[pinfo.number]
  if not place then
    place = { place_of(connection, side, truncated, phase) }
    packets[pinfo.number] = place
  end
  local keys = application_keys(connection, side, place[2])
  if keys then
    tree:add(F.opened, string.format("FASTMUX_%s_TRAFFIC_%d", side, place[2])):set_generated()
    show_opened(tvb, at, size, tree, pinfo, connection, side, keys, place[1])
  else
    pinfo.cols.info:append(": sealed")
    tree:add_proto_expert_info(sealed_info)
  end
end

function fastmux.dissector(tvb, pinfo, tree)
  if tvb:len() < 6 then return 0 end
  pinfo.cols.protocol = "fastmux"
  local branch = tree:add(fastmux, tvb())
  local is_long = tvb(0, 1):uint() >= 0x80
  branch:add(F.form, tvb(0, 1), is_long and "long" or "short")
  branch:add(F.first, tvb(0, 1))
  local ok, problem = pcall(is_long and dissect_long or dissect_short, tvb, pinfo, branch)
  if not ok then
    -- a header that is cut off: Wireshark's own complaint about a range, which is no error of this script
    if not tostring(problem):lower():find("range") then error(problem, 0) end
    branch:add_proto_expert_info(malformed_info)
  end
  return tvb:len()
end

-- Ours are: long headers of our versions, version negotiation that names one, short headers of ids that were
-- seen in a handshake.
local function is_ours(tvb)
  local first = tvb(0, 1):uint()
  if math.floor(first / 64) % 2 == 0 then return false end
  if first < 0x80 then return of_short_header(tvb) ~= nil end
  local version = tvb(1, 4):uint()
  if version == VERSION_1 or version == VERSION_PLAINTEXT then return true end
  return version == 0 and by_id[tvb:raw(6, math.min(tvb(5, 1):uint(), tvb:len() - 6))] ~= nil
end

fastmux:register_heuristic("udp", function(tvb, pinfo, tree)
  if tvb:len() < 12 or not is_ours(tvb) then return false end
  fastmux.dissector(tvb, pinfo, tree)
  return true
end)
DissectorTable.get("udp.port"):add_for_decode_as(fastmux)
