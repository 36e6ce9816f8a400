-- The ramp, as in `pace/ramp.rs`. In `shape`, `start`, `step` and the current limit `in_force` are thousandths of `per_minute`. With
-- `from_idle`, demand from idle is ramped up too; with `is_shared`, there are several processes.
-- `idle` is the time of a second without queued calls. Slots are leased ahead, so `second` may be after `now`, with `level_before` then.

local function start_second(ramp, shape, at)
    local exact = ramp.level * shape.per_minute + ramp.carry
    ramp.second, ramp.used, ramp.leased, ramp.idle = at, 0, 0, 0
    ramp.allowed = math.max(math.floor(exact / C.RAMP_CALL), 1)
    ramp.carry = ramp.level < C.RAMP_FULL and math.max(exact - ramp.allowed * C.RAMP_CALL, 0) or 0
end

function Ramp.start(ramp, shape, at, factor)
    ramp.level = shape.start and math.min(factor * shape.start, C.RAMP_FULL) or C.RAMP_FULL
    ramp.level_before, ramp.is_steep, ramp.carry, ramp.pace = ramp.level, false, 0, ramp.level * shape.per_minute
    start_second(ramp, shape, at)
end

function Ramp.new(shape, now)
    local ramp = {}
    Ramp.start(ramp, shape, now, shape.from_idle and 1 or C.RAMP_FULL)
    return ramp
end

-- Restarts after a pause, with the canary sent at `sent` as the first call.
function Ramp.resume(ramp, shape, sent)
    Ramp.start(ramp, shape, sent, C.RAMP_RESUME_FACTOR)
    ramp.is_steep, ramp.used, ramp.idle = ramp.level < C.RAMP_FULL, 1, C.SECOND
end

function Ramp.set_level(ramp, shape, at, level)
    ramp.level = shape.start and math.min(math.max(math.floor(level), shape.start), C.RAMP_FULL) or C.RAMP_FULL
    ramp.level_before = ramp.level
    start_second(ramp, shape, at)
end

-- Advances to the second that contains `at`.
function Ramp.advance(ramp, shape, at, is_backlogged)
    if not shape.start then return end
    if not shape.from_idle and ramp.level == C.RAMP_FULL then
        ramp.second = math.max(at, ramp.second)
        return
    end
    while ramp.second + C.SECOND <= at do
        if shape.from_idle and not is_backlogged and ramp.used == 0 and ramp.second + C.RAMP_IDLE <= at then
            return Ramp.start(ramp, shape, at, 1)
        end
        -- Slots are not aligned to seconds: one call of a second with queued calls may lie just outside it.
        local calls = shape.is_shared and ramp.leased or ramp.used
        local used = math.floor((calls + (is_backlogged and 1 or 0)) * C.RAMP_CALL / shape.per_minute)
        -- With calls queued all the time, the current limit is used, even if slots were leased again in another second. In a fleet, most
        -- processes have queued calls at any time.
        if is_backlogged and ramp.idle <= (shape.is_shared and C.SECOND / 2 or 0) then used = math.max(used, shape.in_force) end
        local base = shape.from_idle and math.min(used, ramp.level) or ramp.level
        local step = ramp.is_steep and C.RAMP_STEEP_FACTOR * shape.step or shape.step
        ramp.level_before = ramp.level
        ramp.level = math.min(math.max(base + step, shape.start), C.RAMP_FULL)
        ramp.is_steep, ramp.pace = ramp.is_steep and ramp.level < C.RAMP_FULL, ramp.level * shape.per_minute
        start_second(ramp, shape, ramp.second + C.SECOND)
    end
end

function Ramp.due(ramp)
    if ramp.level == C.RAMP_FULL then return 0 end
    if ramp.used < ramp.allowed then return ramp.second + ramp.used * C.SECOND / ramp.allowed end
    return ramp.second + C.SECOND
end

-- From idle, starts the second at the first call.
function Ramp.open(ramp, shape, first)
    if ramp.used == 0 and ramp.level == shape.start then ramp.second = math.max(ramp.second, first) end
end

-- Returns the rate that the ramp allows now, and that of the previous second, in calls a minute.
function Ramp.rate(ramp, shape, now)
    local level = ramp.second > now and ramp.level_before or ramp.level
    return level / C.RAMP_FULL * shape.per_minute, ramp.level_before / C.RAMP_FULL * shape.per_minute
end
