-- Moves entries to the dead letters and acknowledges them. What is not pending any more was moved already.
-- KEYS: the stream, the dead letters. ARGV: the group, the most dead letters, then id, reason and detail of each entry.
-- Returns -1 where there are too many dead letters, and nothing was moved.
local stream, dead = KEYS[1], KEYS[2]
local group, limit = ARGV[1], tonumber(ARGV[2])
local moving = {}
for i = 3, #ARGV, 3 do
  if #redis.call('XPENDING', stream, group, ARGV[i], ARGV[i], 1) == 1 then
    moving[#moving + 1] = i
  end
end
if #moving == 0 then
  return 0
end
if redis.call('XLEN', dead) + #moving > limit then
  return -1
end
for _, i in ipairs(moving) do
  local id = ARGV[i]
  local letter = { 'reason', ARGV[i + 1], 'detail', ARGV[i + 2], 'source_id', id }
  local found = redis.call('XRANGE', stream, id, id)[1]
  local fields = found and found[2] or {}
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
  redis.call('XACK', stream, group, id)
end
trim(stream, group)
return 0
