-- Acknowledges entries, each with its surplus, and trims the stream. Of what stands behind an entry that waits, those with a
-- surplus are dropped one by one: they are large, and their orders count no more.
local function settle(stream, group, surplus, entries)
  local shared, less = {}, 0
  for id, more in pairs(entries) do
    if redis.call('XACK', stream, group, id) == 1 and more ~= '0' then
      shared[#shared + 1] = id
      less = less + more
    end
  end
  trim(stream, group)
  for _, id in ipairs(shared) do
    redis.call('XDEL', stream, id)
  end
  -- What others did to the stream may have made it wrong.
  if backlog(stream, surplus) > 0 and less > 0 then
    local left = tonumber(redis.call('GET', surplus) or 0)
    redis.call('DECRBY', surplus, math.min(less, left))
  end
end
