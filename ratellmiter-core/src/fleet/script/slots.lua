-- Slots on the schedule of the fleet: the times at which the next calls may be sent.

local CAPACITY_POLL = 10000         -- Minimum time between the reports of all processes that wait for in-flight capacity.
local CAPACITY_POLLS_PER_CALL = 100 -- Maximum number of such reports in the time of a call.
local MIN_WAIT = 10000              -- Time within which a call counts as sent at once.

-- Returns the schedules for slots from `first` on: the time of the next slot and the distance between slots of each.
local function schedules(s, run, first)
    local all = { { due = math.max(s.doc.next_slot, first) - s.tolerance(), gap = s.interval() } }
    if s.doc.ramp.level < C.RAMP_FULL then
        table.insert(all, { due = Ramp.due(s.doc.ramp), gap = C.SECOND / s.doc.ramp.allowed })
    end
    for _, each in ipairs(run.flows) do
        table.insert(all, { due = math.max(each.flow.tat, first) - each.flow.tolerance, gap = each.gap })
    end
    return all
end

-- Returns the number of slots from `first` on at one distance, and the distance. A late schedule catches up at the pace of the others.
local function run_of(s, run, first, max, latest)
    local gap, count, ramp, all = 0, max, s.doc.ramp, schedules(s, run, first)
    for _, each in ipairs(all) do
        if each.due >= first then gap = math.max(gap, each.gap) end
    end
    for _, each in ipairs(all) do
        if each.gap > gap then count = math.min(count, math.floor((first - each.due) / (each.gap - gap)) + 1) end
    end
    if ramp.level < C.RAMP_FULL then count = math.min(count, ramp.allowed - ramp.used) end
    if gap > 0 then
        count = math.min(count, math.floor((latest - first) / gap) + 1)
        if s.shape.start and s.shape.from_idle then
            -- A slot on the boundary belongs to the next second.
            count = math.min(count, math.max(math.ceil((ramp.second + C.SECOND - first - 1) / gap), 1))
        end
    end
    return count, gap
end

-- Leases slots by `latest` until the run has `max`.
local function lease(s, run, max, latest)
    local doc, shape, interval = s.doc, s.shape, s.interval()
    while run.given < max do
        local first = math.max(s.now, doc.next_slot - s.tolerance(), (Rates.due(run.flows)))
        if first > latest then break end
        Ramp.advance(doc.ramp, shape, first, s.is_backlogged or first > s.now + MIN_WAIT)
        first = math.max(first, Ramp.due(doc.ramp))
        if first > latest then break end
        Ramp.advance(doc.ramp, shape, first, s.is_backlogged or first > s.now + MIN_WAIT)
        Ramp.open(doc.ramp, shape, first)
        local here, gap = run_of(s, run, first, max - run.given, latest)
        doc.next_slot = math.max(math.max(doc.next_slot, first) + here * interval, first + (here - 1) * gap + interval)
        doc.gap = math.max(gap, interval)
        Rates.charge(run.flows, first, gap, here)
        doc.ramp.used, doc.ramp.leased = doc.ramp.used + here, doc.ramp.leased + here
        run.given = run.given + here
        table.insert(run.spans, { first - s.now, gap, here })
    end
end

-- Returns the number of slots owed to this process for its part of the rate since its last report.
local function owed_slots(s, pace)
    local credit = s.me.credit + s.part * s.elapsed / pace
    local max = s.part * (s.memory + s.report.lag) / pace + 1
    return math.min(math.max(credit, -max), max)
end

local function lease_while_flowing(s, run)
    local me, wanted = s.me, s.report.wanted
    -- The shares are parts of the rate that the ramp and the limits allow.
    local ramp = s.doc.ramp.level / C.RAMP_FULL * s.shape.per_minute
    local pace = C.MINUTE / math.max(math.min(ramp, s.rate()), 1) / (1 - s.margin)
    for _, each in ipairs(run.flows) do pace = math.max(pace, each.mean_gap) end
    local horizon = s.now + s.memory + s.report.lag
    local credit = owed_slots(s, pace)
    -- Within one process, refused calls are first in the queue anyway.
    local allowed = s.refused > 0 and s.count > 1 and math.min(wanted, s.report.refused) or wanted
    local asked = allowed
    if not Demand.is_eligible(me) then allowed = 0 end
    if s.is_mixed and not s.is_passed_by_class then allowed = math.min(allowed, me.classes[s.class]) end
    local is_first = not s.is_passed_by_class
    for member in Members.others(s) do
        if member.is_unmet and Demand.weight(s, member) > 0 and member.credit > credit then is_first = false end
    end
    local free = s.is_passed_by_class and 0 or math.floor(credit)
    if not s.newcomer and not s.is_passed_by_class and math.max(s.doc.next_slot, (Rates.due(run.flows))) + s.soon * pace <= horizon then
        -- There are slots for all queued calls within the horizon.
        free = math.max(free, me.waiting)
    end
    -- A process that is alone gets all slots, but after a lost document the others may not have reported yet.
    if s.count == 1 and not s.is_new then free = allowed end
    lease(s, run, math.min(allowed, free), horizon)
    -- Slots that the others leave are granted to any process, at the cost of its credit.
    if run.given < allowed then lease(s, run, allowed, is_first and s.now + (s.newcomer and s.elapsed or s.period / 2) or s.now) end
    me.credit, me.waiting = credit - run.given, math.max(me.waiting - run.given, 0)
    Demand.take_slots(me.classes, run.given)
    if run.given < wanted then
        local due = math.max(s.doc.next_slot, (Rates.due(run.flows)))
        run.poll_in = math.max(s.period, due - s.now - (is_first and s.period / 2 or 0))
        if s.doc.ramp.level < C.RAMP_FULL then run.poll_in = math.min(run.poll_in, s.period) end
        if s.newcomer then run.poll_in = math.min(run.poll_in, 0.75 * s.elapsed) end
        if me.lacks_place then run.poll_in = 0 end
    end
    me.is_unmet = run.given < asked
end

local function lease_canary(s, run)
    local free = math.max(s.doc.next_slot - s.tolerance(), (Rates.due(run.flows)))
    run.poll_in = math.max(s.doc.pause.ends_at, free) - s.now
    if run.poll_in > 0 then return end
    run.poll_in = s.period
    local may_send = s.report.wanted > 0 and Demand.is_eligible(s.me) and (s.report.refused > 0 or s.refused == 0)
    if may_send then
        Pause.send_canary(s)
        s.doc.next_slot = math.max(s.doc.next_slot, s.now) + s.interval()
        Rates.charge(run.flows, s.now, 0, 1)
        run.is_canary, run.spans[1] = true, { 0, 0, 1 }
    end
end

-- Returns the time until a process that waits for in-flight capacity reports again, by the shortest mean latency of calls.
local function capacity_poll(s)
    local shortest
    for _, member in pairs(s.doc.members) do
        if member.call_time > 0 then shortest = math.min(shortest or math.huge, member.call_time) end
    end
    return math.min(s.count * math.max(CAPACITY_POLL, (shortest or 0) / CAPACITY_POLLS_PER_CALL), s.period)
end

function Slots.assign(s, flows)
    local run = { given = 0, spans = {}, flows = flows, is_canary = false, poll_in = 0 }
    local pause = s.doc.pause
    s.me.is_unmet = false
    if s.doc.closed then
        run.poll_in = s.period
    elseif pause.phase == 'flowing' then
        lease_while_flowing(s, run)
    elseif pause.phase == 'paused' then
        lease_canary(s, run)
    end
    if pause.phase == 'canary' then run.poll_in = math.max(pause.canary.accepted_at - s.now, CAPACITY_POLL) end
    for key, space in pairs(s.me.capacity) do
        if pause.phase == 'flowing' and space.room < space.taken + space.wanted then
            run.poll_in = math.max(run.poll_in, key == C.IN_FLIGHT and capacity_poll(s) or s.period)
        end
    end
    local due, key = Rates.due(flows)
    local others = math.max(s.now, s.doc.next_slot - s.tolerance(), Ramp.due(s.doc.ramp))
    run.bottleneck = s.me.lacks_budget or due > others and key or nil
    return run
end
