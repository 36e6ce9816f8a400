-- Adaptive limits, as in `congestion/adaptive.rs`. `known` is the state of a limit, or nil before its first refusal.

local function growth(known)
    local past = known.backlogged - known.return_seconds
    if past < 0 then
        local left = -past / known.return_seconds
        return known.ceiling - (known.ceiling - known.low) * left * left * left
    end
    return known.ceiling * (1 + C.PROBE_STEP * (2 ^ math.min(past / C.PROBE_DOUBLING_SECONDS, 60) - 1))
end

-- Returns the minimum of an adapted limit: a fraction of a token budget, or one call.
function Adaptive.floor(key, configured)
    return key ~= C.REQUESTS and key ~= C.IN_FLIGHT and math.max(configured / C.TOKEN_FLOOR_DIVISOR, 1) or 1
end

function Adaptive.allowed(known, configured)
    return known and math.min(math.max(growth(known), known.floor), configured) or configured
end

-- Returns the limit right after the last decrease.
function Adaptive.low(known, configured) return known and math.max(known.low, known.floor) or configured end

-- Returns the state after a refusal at a throughput of `through`.
function Adaptive.on_refusal(known, through, configured, floor)
    through = math.min(math.max(through, floor), configured)
    local seconds = C.FIRST_RETURN_SECONDS
    if known and known.ceiling / C.SAME_CEILING <= through and through <= known.ceiling * C.SAME_CEILING then
        seconds = math.min(known.return_seconds * C.RETURN_FACTOR, C.MAX_RETURN_SECONDS)
    end
    return { low = through * C.DECREASE_FACTOR, ceiling = through, return_seconds = seconds, backlogged = 0, floor = floor }
end

function Adaptive.on_backlogged(known, configured, micros)
    if known and growth(known) < configured then known.backlogged = known.backlogged + micros / 1e6 end
end
