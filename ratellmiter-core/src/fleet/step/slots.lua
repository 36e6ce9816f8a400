-- Slots on the one schedule that all share.

local wants, spans, given, is_canary, again, bound = report.wants, {}, 0, false, 0, nil
local horizon = now + 2 * PERIOD + report.lag
interval = MINUTE / (rate() * (1 - SPARE))

-- When one looks again that waits for a place: the shorter calls are, the sooner, for a place is free that long unseen.
local function watches_after()
    local shortest = math.huge
    for _, member in pairs(members) do
        if member.call_time > 0 then shortest = math.min(shortest, member.call_time) end
    end
    if shortest == math.huge then shortest = 0 end
    return math.min(count * math.max(WATCH, shortest / PART), PERIOD)
end

local function allot(most, latest)
    local tolerance = math.max(report.burst - interval, 0)
    while given < most do
        local first = math.max(now, doc.tat - tolerance)
        local due, key = flow_due()
        bound = due > first and key or nil
        first = math.max(first, due)
        roll_ramp(first, true)
        local left, gap = math.huge, interval
        if steps and ramp.level < FULL then
            left, gap = ramp.allowed - ramp.used, math.max(interval, 1e6 / ramp.allowed)
            if left <= 0 then
                first = ramp.second + 1e6
                if first > latest then break end
                roll_ramp(first, true)
                left, gap = ramp.allowed, math.max(interval, 1e6 / ramp.allowed)
                if ramp.level == FULL then left, gap = math.huge, interval end
            elseif ramp.used > 0 then
                first = math.max(first, ramp.second + ramp.used * 1e6 / ramp.allowed)
            else
                ramp.second = math.max(ramp.second, first)
            end
        end
        if first > latest then break end
        local here = math.min(most - given, left)
        if doc.tat <= now + tolerance and tolerance > 0 and first <= now then
            -- Saved up: all at once.
            here = math.min(here, math.floor((now + tolerance - math.max(doc.tat, now)) / interval) + 1)
            for _, this in ipairs(flows) do
                here = math.min(here, math.floor((now - this.flow.tat) / this.gap) + 1)
            end
            doc.tat, gap = math.max(doc.tat, now) + here * interval, 0
        else
            local spacing = gap
            for _, this in ipairs(flows) do gap = math.max(gap, this.gap) end
            here = math.min(here, math.floor((latest - first) / gap) + 1)
            doc.tat = first + tolerance + (here - 1) * spacing + interval
        end
        flow_take(first, here)
        ramp.used = ramp.used + here
        given = given + here
        table.insert(spans, { first - now, gap, here })
    end
end

if doc.phase == 'flowing' then
    -- At the rate that the ramp allows: what nobody may have is nobody's.
    local pace = MINUTE / math.max(math.min(ramp.level / FULL * per_minute, rate()), 1) / (1 - SPARE)
    for _, this in ipairs(flows) do pace = math.max(pace, this.usual) end
    credit = credit + part * elapsed / pace
    local most = part * (MEMORY + report.lag) / pace + 1
    credit = math.min(math.max(credit, -most), most)
    -- More than a period is owed to nobody: else whoever asks first takes what is there. Who is owed more than others stays so.
    local owed = credit
    for id, member in pairs(members) do
        if id ~= report.id then owed = owed + member.credit end
    end
    -- Beside a period, each keeps what is less than a slot.
    local surplus = (owed - PERIOD / pace - count) / count
    if surplus > 0 then
        credit = credit - surplus
        for id, member in pairs(members) do
            if id ~= report.id then member.credit = member.credit - surplus end
        end
    end
    local may = refused > 0 and math.min(wants, report.refused) or wants
    if not has_room(me) then may = 0 end
    local is_passed = is_mixed and me.classes[top] == 0
    if is_mixed and not is_passed then may = math.min(may, me.classes[top]) end
    local is_first = not is_passed
    for id, member in pairs(members) do
        if id ~= report.id and member.unmet and weight(member) > 0 and member.credit > credit then is_first = false end
    end
    local free = is_passed and 0 or math.floor(credit)
    if not begins and not is_passed and math.max(doc.tat, (flow_due())) + soon * pace <= horizon then
        -- All that wait go so soon that nobody need be held back.
        free = math.max(free, me.waiting)
    end
    allot(math.min(may, free), horizon)
    -- What others leave goes to whoever asks, and is counted.
    if given < may then allot(may, is_first and now + (begins and elapsed or PERIOD / 2) or now) end
    credit = credit - given
    me.waiting = math.max(me.waiting - given, 0)
    local left = given
    for class = 1, 3 do
        local with = math.min(me.classes[class], left)
        me.classes[class], left = me.classes[class] - with, left - with
    end
    went(given)
    if given < wants then
        local due = math.max(doc.tat, (flow_due()))
        again = math.max(PERIOD, due - now - (is_first and PERIOD / 2 or 0))
        if steps and ramp.level < FULL then again = math.min(again, PERIOD) end
        if begins then again = math.min(again, 0.75 * elapsed) end
        if me.has_no_place then again = 0 end
    end
elseif doc.phase == 'paused' then
    again = doc.paused - now
    local goes = wants > 0 and has_room(me) and (report.refused > 0 or refused == 0)
    if again <= 0 and goes then
        local patience = doc.slowest == 0 and 1e6 or math.min(math.max(doc.slowest * 3, 250000), 30e6)
        doc.phase, doc.paused = 'canary', nil
        doc.canary = { id = report.id, sent = now, by = now + patience + report.lag }
        doc.tat = math.max(doc.tat, now) + interval
        is_canary, again = true, 0
        spans[1] = { 0, 0, 1 }
    elseif again <= 0 then
        again = PERIOD
    end
end
if doc.phase == 'canary' then again = math.max(doc.canary.by - now, 10000) end
for key, space in pairs(me.spaces) do
    if space.room < space.taken + space.wants then again = math.max(again, key == 'in_flight' and watches_after() or PERIOD) end
end
me.unmet = doc.phase == 'flowing' and given < (refused > 0 and math.min(wants, report.refused) or wants)
me.credit = credit
