-- The ramp: how many calls a second may carry, spread evenly over it.

local ramp = doc.ramp

local function begin_second(at)
    local exact = ramp.level * per_minute + ramp.carry
    ramp.second, ramp.used = at, 0
    ramp.allowed = math.max(math.floor(exact / (60 * FULL)), 1)
    ramp.carry = math.max(exact - ramp.allowed * 60 * FULL, 0)
    if ramp.level == FULL then ramp.carry = 0 end
end

local function start_ramp(at, times)
    ramp.level = steps and math.min(times * steps.start, FULL) or FULL
    ramp.steep, ramp.carry = false, 0
    begin_second(at)
end

-- Comes to the second that `at` lies in. Idle for two seconds, demand is a jump again.
local function roll_ramp(at, is_pressed)
    if not steps then
        ramp.level = FULL
        return
    end
    if not from_idle and ramp.level == FULL then
        ramp.second = math.max(at, ramp.second)
        return
    end
    while ramp.second + 1e6 <= at do
        if from_idle and not is_pressed and ramp.used == 0 and ramp.second + 2e6 <= at then
            return start_ramp(at, 1)
        end
        local used = math.min(math.floor(ramp.used * 60 * FULL / per_minute), ramp.level)
        local base = (is_pressed or not from_idle) and ramp.level or used
        local step = ramp.steep and 2 * steps.step or steps.step
        ramp.level = math.min(math.max(base + step, steps.start), FULL)
        ramp.steep = ramp.steep and ramp.level < FULL
        begin_second(ramp.second + 1e6)
    end
end

-- A higher rate holds at once.
if doc.rate > 0 and doc.rate < per_minute and doc.tat > now then doc.tat = now + (doc.tat - now) * doc.rate / per_minute end
-- It is a jump in demand, as any other.
if steps and doc.rate > 0 and doc.rate ~= per_minute then
    ramp.level = math.min(math.max(math.floor(ramp.level * doc.rate / per_minute), steps.start), FULL)
    begin_second(now)
end
doc.rate = per_minute
