-- How many orders the stream holds. `surplus` is a key with those beyond the first of each entry. A stream that is empty has
-- none, whatever others did to it.
local function backlog(stream, surplus)
  local entries = redis.call('XLEN', stream)
  if entries == 0 then
    redis.call('DEL', surplus)
    return 0
  end
  return entries + tonumber(redis.call('GET', surplus) or 0)
end
