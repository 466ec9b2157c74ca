-- Drops what every reader has done with: what stands before the first entry that is delivered and not acknowledged, or,
-- where there is none, what was delivered.
local function trim(stream, group)
  local pending = redis.call('XPENDING', stream, group)
  local first = pending[2]
  if pending[1] == 0 then
    for _, found in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
      if found[2] == group then
        for i = 1, #found, 2 do
          if found[i] == 'last-delivered-id' then
            first = found[i + 1]
            local ms, seq = string.match(first, '^(%d+)-(%d+)$')
            -- Beyond that Lua cannot count exactly: one entry more stays.
            if #seq <= 15 then
              first = ms .. '-' .. string.format('%.0f', tonumber(seq) + 1)
            end
          end
        end
      end
    end
  end
  redis.call('XTRIM', stream, 'MINID', '=', first)
end
