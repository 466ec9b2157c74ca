-- Orders for wrk: every pair of drink and store of the default menu, with the time of the present second. The texts are
-- made once a second, so that the generator takes little of the time it measures.
local drinks = { "cappuccino", "americano", "latte" }
local stores = { "uptown", "downtown", "central", "southend" }
local requests, made_at, turn, path = {}, 0, 0, "/api/v1/order"

function init(arguments)
    path = arguments[1] or path
end

local function make(now)
    requests, made_at = {}, now
    local timestamp = os.date("!%Y-%m-%dT%H:%M:%SZ", now)
    for d, drink in ipairs(drinks) do
        for s, store in ipairs(stores) do
            local body = string.format('{"drink":"%s","store":"%s","price":%.2f,"timestamp":"%s"}', drink, store,
                2.5 + d * 0.75 + s * 0.05, timestamp)
            requests[#requests + 1] = wrk.format("POST", path, { ["Content-Type"] = "application/json" }, body)
        end
    end
end

function request()
    local now = os.time()
    if now ~= made_at then make(now) end
    turn = turn % #requests + 1
    return requests[turn]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format('{"requests":%d,"micros":%d,"refused":%d,"broken":%d,"p99_micros":%d}\n',
        summary.requests, summary.duration, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(99)))
end
