-- The frames of fastmux (docs/wire-format.md §7): how each is laid out, and how it is shown.
--
-- Owns: fields of frames, and walking through a payload. May not know: packets, keys, connections.

local M = { fields = {} }

local function field(kind, name, text, ...)
  local made = ProtoField[kind]("fastmux." .. name, text, ...)
  M.fields[#M.fields + 1] = made
  return made
end

local NAMES = {
  [0x00] = "PADDING", [0x01] = "PING", [0x02] = "ACK", [0x03] = "ACK_ECN", [0x06] = "HANDSHAKE",
  [0x07] = "PARAMETERS", [0x08] = "HANDSHAKE_DONE", [0x10] = "STREAM", [0x11] = "STREAM", [0x12] = "STREAM",
  [0x13] = "STREAM", [0x14] = "MESSAGE", [0x16] = "MESSAGE", [0x18] = "MESSAGE_FIN",
  [0x19] = "MESSAGE_ABANDON", [0x1c] = "DATAGRAM", [0x1e] = "DATAGRAM", [0x20] = "OPEN", [0x21] = "RESET",
  [0x22] = "STOP", [0x28] = "MAX_DATA", [0x29] = "MAX_CHANNEL_DATA", [0x2a] = "MAX_CHANNELS",
  [0x2c] = "DATA_BLOCKED", [0x2d] = "CHANNEL_DATA_BLOCKED", [0x2e] = "CHANNELS_BLOCKED", [0x30] = "NEW_ID",
  [0x31] = "RETIRE_ID", [0x32] = "PATH_CHALLENGE", [0x33] = "PATH_RESPONSE", [0x34] = "ACK_FREQUENCY",
  [0x38] = "CONNECTION_CLOSE", [0x39] = "APPLICATION_CLOSE",
}
local KINDS = { [0] = "stream", [1] = "message channel" }
local CODES = {
  [0x00] = "NO_ERROR", [0x01] = "INTERNAL", [0x02] = "REFUSED", [0x03] = "FLOW_CONTROL_ERROR",
  [0x04] = "CHANNEL_LIMIT_ERROR", [0x05] = "CHANNEL_STATE_ERROR", [0x06] = "FINAL_SIZE_ERROR",
  [0x07] = "FRAME_ENCODING_ERROR", [0x08] = "PARAMETER_ERROR", [0x09] = "ID_LIMIT_ERROR",
  [0x0a] = "PROTOCOL_VIOLATION", [0x0d] = "HANDSHAKE_BUFFER_EXCEEDED", [0x0e] = "KEY_UPDATE_ERROR",
  [0x0f] = "AEAD_LIMIT_REACHED", [0x10] = "NO_VIABLE_PATH", [0x11] = "GLITCH_LIMIT", [0x12] = "RESOURCE_LIMIT",
  [0x14] = "CANCELLED",
}
local PARAMETERS = {
  [0x01] = "max_idle_timeout (ms)", [0x03] = "max_datagram_size", [0x04] = "initial_max_data",
  [0x05] = "initial_max_channel_data", [0x08] = "initial_max_streams", [0x09] = "initial_max_message_channels",
  [0x0b] = "max_ack_delay (ms)", [0x0e] = "active_id_limit", [0x10] = "max_message_size",
  [0x20] = "max_datagram_frame_size", [0x21] = "min_ack_delay (us)", [0x22] = "extension_frames",
}

local F = {
  frame = field("none", "frame", "Frame"),
  type = field("uint32", "frame.type", "Type", base.HEX, NAMES),
  name = field("string", "frame.name", "Name"),
  padding = field("uint32", "padding_length", "Padding length", base.DEC),
  channel = field("uint64", "channel_id", "Channel id", base.DEC),
  opener = field("string", "channel.opener", "Opened by"),
  channel_kind = field("string", "channel.kind", "Kind"),
  kind = field("uint64", "kind", "Kind (0: streams, 1: message channels)", base.DEC),
  offset = field("uint64", "offset", "Offset", base.DEC),
  length = field("uint64", "length", "Length", base.DEC),
  data = field("bytes", "data", "Data"),
  fin = field("bool", "fin", "FIN"),
  message = field("uint64", "message_id", "Message id", base.DEC),
  index = field("uint64", "fragment_index", "Fragment index", base.DEC),
  count = field("uint64", "fragment_count", "Fragment count", base.DEC),
  messages = field("uint64", "message_count", "Message count", base.DEC),
  largest = field("uint64", "ack.largest", "Largest acknowledged", base.DEC),
  delay = field("uint64", "ack.delay", "ACK delay (8 us units)", base.DEC),
  ranges = field("uint64", "ack.range_count", "Range count", base.DEC),
  gap = field("uint64", "ack.gap", "Gap", base.DEC),
  range = field("uint64", "ack.range", "ACK range", base.DEC),
  ecn = field("uint64", "ack.ecn", "ECN count", base.DEC),
  label = field("string", "label", "Label"),
  priority = field("uint8", "priority", "Priority", base.DEC),
  flags = field("uint8", "open.flags", "Flags", base.HEX),
  value = field("uint64", "open.value", "Reliability value", base.DEC),
  code = field("uint64", "code", "Code", base.HEX),
  code_name = field("string", "code_name", "Meaning"),
  reason = field("string", "reason", "Reason"),
  final = field("uint64", "final_size", "Final size", base.DEC),
  charged = field("uint64", "charged", "Charged", base.DEC),
  limit = field("uint64", "limit", "Limit", base.DEC),
  sequence = field("uint64", "sequence", "Sequence number", base.DEC),
  retire = field("uint64", "retire_prior_to", "Retire prior to", base.DEC),
  id = field("bytes", "new_id", "Connection id"),
  token = field("bytes", "reset_token", "Stateless reset token"),
  challenge = field("bytes", "path_data", "Path data"),
  threshold = field("uint64", "ack_frequency.threshold", "Eliciting threshold", base.DEC),
  max_delay = field("uint64", "ack_frequency.max_ack_delay", "Max ACK delay (us)", base.DEC),
  reordering = field("uint64", "ack_frequency.reordering", "Reordering threshold", base.DEC),
  parameter = field("string", "parameter", "Parameter"),
}

local Truncated = {}

-- A place in a payload; whatever reads past its end raises `Truncated`.
local Reader = {}
Reader.__index = Reader

function Reader.take(self, size)
  if self.at + size > self.stop then error(Truncated) end
  local range = self.tvb(self.at, size)
  self.at = self.at + size
  return range
end

-- A varint (RFC 9000 §16): its value as a number (exact to 2^53), its bytes, its value as UInt64.
function Reader.varint(self)
  if self.at >= self.stop then error(Truncated) end
  local size = 2 ^ math.floor(self.tvb(self.at, 1):uint() / 64)
  local range = self:take(size)
  local exact = range:bitfield(2, 8 * size - 2)
  if type(exact) == "number" then exact = UInt64(exact) end
  return exact:tonumber(), range, exact
end

function Reader.add(self, tree, what)
  local value, range, exact = self:varint()
  tree:add(what, range, exact)
  return value
end

function Reader.channel(self, tree)
  local value, range, exact = self:varint()
  tree:add(F.channel, range, exact)
  tree:add(F.opener, range, value % 2 == 0 and "client" or "server"):set_generated()
  tree:add(F.channel_kind, range, KINDS[math.floor(value / 2) % 2]):set_generated()
  return value
end

-- Data with its length before it if `has_length`, else to the end of the packet.
function Reader.data(self, tree, has_length, what)
  local size = has_length and self:add(tree, F.length) or self.stop - self.at
  local range = size > 0 and self:take(size) or nil
  if range then tree:add(what or F.data, range) end
  return range, size
end

local function show_code(r, tree)
  local value, range, exact = r:varint()
  tree:add(F.code, range, exact)
  local name = value >= 0x100 and string.format("TLS alert %d", value - 0x100) or CODES[value]
  if name then tree:add(F.code_name, range, name):set_generated() end
end

local function show_ack(r, tree, kind)
  r:add(tree, F.largest)
  r:add(tree, F.delay)
  local count = r:add(tree, F.ranges)
  r:add(tree, F.range)
  for _ = 1, count do
    r:add(tree, F.gap)
    r:add(tree, F.range)
  end
  for _ = 1, kind == 0x03 and 3 or 0 do r:add(tree, F.ecn) end
end

local function show_parameters(r, tree)
  local size = r:add(tree, F.length)
  local stop = r.at + size
  if stop > r.stop then error(Truncated) end
  while r.at < stop do
    local start = r.at
    local id = r:varint()
    local length = r:varint()
    local value = length > 0 and r:take(length) or nil
    local text = PARAMETERS[id] or string.format("unknown %#x", id)
    if value then
      local inner = setmetatable({ tvb = r.tvb, at = r.at - length, stop = r.at }, Reader)
      local ok, number, _, exact = pcall(Reader.varint, inner)
      text = text .. " = " .. (PARAMETERS[id] and ok and number and tostring(exact) or value:bytes():tohex())
    end
    tree:add(F.parameter, r.tvb(start, r.at - start), text)
  end
end

local function show_open(r, tree)
  r:channel(tree)
  tree:add(F.priority, r:take(1))
  tree:add(F.flags, r:take(1))
  r:add(tree, F.value)
  r:data(tree, true, F.label)
end

local function show_new_id(r, tree)
  r:add(tree, F.sequence)
  r:add(tree, F.retire)
  local size = r:take(1):uint()
  local id = r:take(size)
  tree:add(F.id, id)
  tree:add(F.token, r:take(16))
  return id
end

local function plain(...)
  local what = { ... }
  return function(r, tree)
    for _, each in ipairs(what) do
      if each == F.channel then r:channel(tree) else r:add(tree, each) end
    end
  end
end

local function show_close(r, tree)
  show_code(r, tree)
  r:data(tree, true, F.reason)
end

local function show_stream(r, tree, kind)
  r:channel(tree)
  r:add(tree, F.offset)
  tree:add(F.fin, kind % 2 == 1):set_generated()
  r:data(tree, math.floor(kind / 2) % 2 == 1)
end

local function show_message(r, tree, kind)
  r:channel(tree)
  r:add(tree, F.message)
  r:add(tree, F.index)
  r:add(tree, F.count)
  r:data(tree, kind == 0x16)
end

local function show_abandon(r, tree)
  r:channel(tree)
  for _ = 1, r:add(tree, F.messages) do
    r:add(tree, F.message)
    r:add(tree, F.count)
  end
end

local function show_path(r, tree) tree:add(F.challenge, r:take(8)) end

local SHOW = {
  [0x01] = plain(), [0x02] = show_ack, [0x03] = show_ack, [0x07] = show_parameters, [0x08] = plain(),
  [0x10] = show_stream, [0x11] = show_stream, [0x12] = show_stream, [0x13] = show_stream,
  [0x14] = show_message, [0x16] = show_message, [0x18] = plain(F.channel, F.messages), [0x19] = show_abandon,
  [0x1c] = function(r, tree) r:data(tree, false) end, [0x1e] = function(r, tree) r:data(tree, true) end,
  [0x20] = show_open,
  [0x21] = function(r, tree)
    r:channel(tree)
    show_code(r, tree)
    plain(F.final, F.charged)(r, tree)
  end,
  [0x22] = function(r, tree)
    r:channel(tree)
    show_code(r, tree)
  end,
  [0x28] = plain(F.limit), [0x29] = plain(F.channel, F.limit), [0x2a] = plain(F.kind, F.limit),
  [0x2c] = plain(F.limit), [0x2d] = plain(F.channel, F.limit), [0x2e] = plain(F.kind, F.limit),
  [0x31] = plain(F.sequence), [0x32] = show_path, [0x33] = show_path,
  [0x34] = plain(F.sequence, F.threshold, F.max_delay, F.reordering), [0x38] = show_close, [0x39] = show_close,
}

local function show_padding(r, tree)
  local start = r.at - 1
  while r.at < r.stop and r.tvb(r.at, 1):uint() == 0 do r.at = r.at + 1 end
  tree:add(F.padding, r.tvb(start, r.at - start), r.at - start):set_generated()
end

-- Show one frame; gives its name. `seen` is told what connections must know: seen.handshake(offset, range)
-- and seen.new_id(range).
local function show_frame(r, tree, kind, seen)
  local name = NAMES[kind] or (kind >= 0x100 and kind <= 0x1ff and "EXTENSION") or string.format("unknown %#x", kind)
  tree:add(F.name, r.tvb(r.at - 1, 1), name):set_generated()
  if kind == 0x00 then
    show_padding(r, tree)
  elseif kind == 0x06 then
    local offset = r:add(tree, F.offset)
    local range = r:data(tree, true)
    if range then seen.handshake(offset, range) end
  elseif kind == 0x30 then
    seen.new_id(show_new_id(r, tree))
  elseif kind >= 0x100 and kind <= 0x1ff then
    r:data(tree, true)
  elseif SHOW[kind] then
    SHOW[kind](r, tree, kind)
  else
    error(Truncated)
  end
  return name
end

-- Show all frames of the payload `tvb(start, size)`. Gives their names in order, and whether all was well.
function M.show(tvb, start, size, tree, seen)
  local r = setmetatable({ tvb = tvb, at = start, stop = start + size }, Reader)
  local names = {}
  while r.at < r.stop do
    local first = r.at
    local branch = tree:add(F.frame, tvb(first, r.stop - first))
    local ok, result = pcall(function()
      local kind, range = r:varint()
      branch:add(F.type, range, kind)
      return show_frame(r, branch, kind, seen)
    end)
    if not ok then
      if result ~= Truncated then error(result, 0) end
      branch:append_text(": malformed")
      names[#names + 1] = "malformed"
      return names, false
    end
    branch:set_len(r.at - first)
    branch:append_text(": " .. result)
    names[#names + 1] = result
  end
  return names, true
end

return M
