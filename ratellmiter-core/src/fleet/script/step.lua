-- One step: applies the report of a process and grants it a lease until its next report.
-- KEYS[1] is the limiter, ARGV[1] the report as JSON. The modules get the step `s`, or the part of the document that they change.

local MAX_FREQUENT = 64     -- Number of processes beyond which each reports less often than once a period.
local TRAVEL_MARGIN = 0.005 -- Fraction of the rate left unused with several processes, whose calls travel to the provider for different times.
local GRACE = 1.3e6         -- Time within which all processes with a lease from a lost document have reported.

local report = cjson.decode(ARGV[1])
-- Ages stay packed, because they are read only when a budget is short.
for _, space in pairs(report.capacity) do space.parts = space.parts and cmsgpack.pack(space.parts) end
local doc, last_reply, wall = Document.open(report.id)
if doc.format ~= Document.FORMAT then
    return redis.error_reply('ERR ' .. KEYS[1] .. ' was written by another version of ratellmiter')
end
local count = 0
for _ in pairs(doc.members) do count = count + 1 end
-- A clock that was set back stands still until it has caught up.
local now = math.max(wall - tonumber(doc.zero), doc.now)
local period = math.min(math.max(C.PERIOD * count / MAX_FREQUENT, C.PERIOD), C.KEEPALIVE)
local s = {
    id = report.id, doc = doc, report = report, now = now, passed = now - doc.now, period = period,
    memory = 2 * period, -- Maximum time for which a late process is owed its part of the rate.
    slack = math.max(report.burst, C.SLACK),
}
doc.now = now
s.before = doc.members[s.id]
if s.before and s.before.epoch ~= doc.zero then s.before = nil end
-- A repeated report, whose reply was lost.
if s.before and s.before.step == report.step then return last_reply end
-- A process that has used its limits alone counts as new: its usage meanwhile is not charged to any schedule.
s.is_new = not s.before or report.is_new or report.epoch ~= doc.zero
s.before_or_new = not s.is_new and s.before or nil
if report.epoch and report.epoch ~= doc.zero then doc.grace = GRACE end

local others = Members.refresh(s) - (doc.members[s.id] and 1 or 0)
local conflicting = Members.conflicting(s)
if conflicting then
    if s.before then Members.remove(doc, s.id, s.before) end
    Document.save(doc)
    local name = redis.call('HGET', KEYS[1], Members.name_field(conflicting))
    return cjson.encode({ conflict = { name = name, limits = doc.limits, members = others } })
end
if report.intent == 'looks' then
    Document.save(doc) -- Fails on a server that cannot store it.
    return cjson.encode({ welcome = true })
end

s.margin = others > 0 and TRAVEL_MARGIN or 0
s.shape = {
    start = report.ramp and report.ramp.start, step = report.ramp and report.ramp.step, per_minute = report.rate,
    from_idle = report.burst == 0, is_shared = others > 0,
}
function s.configured(key) return key == C.REQUESTS and report.rate or report.capacity[key] and report.capacity[key].limit end
function s.rate()
    local allowed = math.min(Adaptive.allowed(doc.adapted[C.REQUESTS], report.rate), report.served or math.huge)
    for member in Members.others(s) do allowed = math.min(allowed, member.served or math.huge) end
    return math.max(math.floor(allowed), 1)
end
function s.interval() return C.MINUTE / (s.rate() * (1 - s.margin)) end
function s.tolerance() return math.max(report.burst - s.interval(), 0) end
if not report.adapts then doc.adapted = {} end
doc.ramp = doc.ramp or Ramp.new(s.shape, now)
doc.typical_cost = report.typical_cost or doc.typical_cost

-- Unused slots are returned at the distance at which they were leased, which is known if the process is alone.
local leaves = report.intent == 'leaves'
s.returned = s.is_new and 0 or report.unused + (leaves and report.held_slots or 0)
if s.returned > 0 then
    s.returned_time = s.returned * (others == 0 and doc.gap or doc.interval or s.interval())
    doc.next_slot = doc.next_slot - s.returned_time
    doc.ramp.used = math.max(doc.ramp.used - s.returned, 0)
end
Throughput.add(doc.throughput, report.sent, now)
for _, run in ipairs(report.sent) do doc.pause.series.accepted = doc.pause.series.accepted + run[2] end

-- Time with queued calls in any process, by which the ramp rises and adapted limits grow.
s.is_backlogged = false
for key, micros in pairs(report.backlogged) do s.is_backlogged = s.is_backlogged or key ~= C.IN_FLIGHT and micros > 0 end
local is_full = (report.backlogged[C.REQUESTS] or 0) >= s.passed
for member in Members.others(s) do
    local is_waiting = member.is_unmet and Demand.is_eligible(member)
    s.is_backlogged, is_full = s.is_backlogged or is_waiting, is_full or is_waiting
end
if not is_full then doc.ramp.idle = doc.ramp.idle + s.passed end
s.shape.in_force = math.ceil(s.rate() / report.rate * C.RAMP_FULL)
local before = doc.shape or s.shape
Ramp.advance(doc.ramp, before, now, s.is_backlogged)
if doc.limits and doc.limits ~= report.limits then
    -- A higher rate is a jump in demand.
    Ramp.set_level(doc.ramp, s.shape, now, doc.ramp.pace / report.rate)
end
doc.limits, doc.shape = report.limits, s.shape
for key, micros in pairs(report.backlogged) do
    local configured, time = s.configured(key), math.min(micros, s.passed)
    if key == C.REQUESTS then
        -- Excludes the time in which only the ramp has delayed the calls.
        local low, rate, before = Adaptive.low(doc.adapted[key], report.rate), Ramp.rate(doc.ramp, s.shape, now)
        if rate < low then time = 0 elseif before < low then time = math.min(time, math.max(now - doc.ramp.second, 0)) end
        -- A limit of few calls a minute grows more slowly.
        time = time * math.min(Adaptive.allowed(doc.adapted[key], report.rate) / C.SLOW_CALLS_PER_MINUTE, 1) ^ 2
    end
    if configured then Adaptive.on_backlogged(doc.adapted[key], configured, time) end
end

if s.is_new and (next(doc.members) == nil or s.before == nil and next(doc.adapted) == nil) then
    -- Restores the state of a lost document.
    for key, ceiling in pairs(report.ceilings) do
        local configured = report.adapts and not doc.adapted[key] and s.configured(key)
        if configured then doc.adapted[key] = Adaptive.on_refusal(nil, ceiling, configured, Adaptive.floor(key, configured)) end
    end
    Pause.carry(doc.pause, report.paused, now)
end
for _, refusal in ipairs(report.refusals) do Pause.on_refusal(s, refusal) end
Pause.settle_canary(s)
Closed.apply(s)

if leaves then
    Rates.release(s)
    Members.remove(doc, s.id, { seen = now, capacity = report.capacity })
    Document.save(doc)
    return cjson.encode({ welcome = false })
end

-- When the rate changes, the schedule keeps its debt in calls.
local interval = s.interval()
if doc.interval and doc.next_slot > now then doc.next_slot = now + (doc.next_slot - now) * interval / doc.interval end
doc.interval = interval

Demand.update(s)
Closed.assign(s)
if doc.pause.phase == 'flowing' and s.is_new and report.allowed > 0 and s.shape.start then
    -- The ramp resumes at the sum of the rates that the processes used while disconnected.
    if now - doc.carried.at > GRACE then doc.carried = { at = now, level = 0 } end
    doc.carried.level = doc.carried.level + math.floor(report.allowed * C.RAMP_FULL / report.rate)
    if doc.carried.level > doc.ramp.level then Ramp.set_level(doc.ramp, s.shape, now, doc.carried.level) end
end
Capacity.assign(s)
Demand.weigh(s)
local run = Slots.assign(s, Rates.assign(s))
local reply = cjson.encode(Reply.of(s, run))
Document.save(doc)
redis.call('HSET', KEYS[1], s.id, reply)
if s.is_new then redis.call('HSET', KEYS[1], Members.name_field(s.id), report.name) end
return reply
