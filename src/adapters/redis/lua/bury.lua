-- Copies orders to the dead letters and acknowledges their entries. What is not pending any more was dealt with already.
-- KEYS: the stream, its surplus, the dead letters. ARGV: the group, the most dead letters, then of each order its entry's
-- id, that one's surplus, which of its orders it is (empty: the entry as it stands), reason and detail.
-- Returns -1 where there are too many dead letters, and nothing was done.
local stream, surplus, dead = KEYS[1], KEYS[2], KEYS[3]
local group, limit = ARGV[1], tonumber(ARGV[2])
local moving, seen = {}, {}
for i = 3, #ARGV, 5 do
  -- Two generations of a reader may have had it in hand.
  local name = ARGV[i] .. '/' .. ARGV[i + 2]
  if not seen[name] and #redis.call('XPENDING', stream, group, ARGV[i], ARGV[i], 1) == 1 then
    moving[#moving + 1] = i
    seen[name] = true
  end
end
if #moving == 0 then
  return 0
end
if redis.call('XLEN', dead) + #moving > limit then
  return -1
end

-- The fields of an entry, or of one order of it.
local function fields_of(id, part)
  local found = redis.call('XRANGE', stream, id, id)[1]
  local fields = found and found[2] or {}
  for i = 1, part ~= '' and #fields or 0, 2 do
    if fields[i] == 'orders' then
      local left = tonumber(part)
      for line in string.gmatch(fields[i + 1], '[^\n]+') do
        if left == 0 then
          return { 'order', line }
        end
        left = left - 1
      end
    end
  end
  return fields
end

local settled = {}
for _, i in ipairs(moving) do
  local id, part = ARGV[i], ARGV[i + 2]
  local source = part == '' and id or id .. '/' .. part
  local letter = { 'reason', ARGV[i + 3], 'detail', ARGV[i + 4], 'source_id', source }
  local fields = fields_of(id, part)
  if #fields > 2000 then
    -- More than a call can take as arguments.
    letter[#letter + 1] = 'packed_entry'
    letter[#letter + 1] = cmsgpack.pack(fields)
    fields = {}
  end
  for j = 1, #fields, 2 do
    letter[#letter + 1] = 'entry.' .. fields[j]
    letter[#letter + 1] = fields[j + 1]
  end
  redis.call('XADD', dead, '*', unpack(letter))
  settled[id] = ARGV[i + 1]
end
settle(stream, group, surplus, settled)
return 0
