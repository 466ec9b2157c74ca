-- How many orders the stream holds. `surplus` is a key with those beyond the first of each entry that is not acknowledged.
local function backlog(stream, surplus)
  return redis.call('XLEN', stream) + tonumber(redis.call('GET', surplus) or 0)
end
