-- One step of one process: what it tells is counted, and it gets what it may do until it asks again.
--
-- KEYS[1] is a limiter: a hash of one packed document, and of what only one process has need of, its last answer and its name.
-- ARGV[1] is the report of one process. Times are microseconds since `zero`, the server's clock when the document was made; no
-- clock of a process plays a part, only spans of time that it measured.

local SHORTEST, LONGEST = 250000, 1e6 -- How often a busy process asks, which is less often
local MANY = 64            -- where they are more than so many.
local WATCH = 10000        -- How often those look, taken together, who wait for a place that any call may leave.
local PATIENCE = 3000000   -- One that is not heard of for so long is gone.
local SPARE = 0.005        -- Of the rate: what may go too early because it travels.
local KEPT = 90000         -- Seconds for which nobody need ask before all is forgotten: a day, and an hour.
local MINUTE, HOUR = 60e6, 3600e6
local ANY = 1e9            -- Where nobody limits the calls in flight.
local SLACK = 250000       -- So much unused time of a budget may be made up for.
local CREDIT = 6           -- What calls did not use after all is kept, up to this part of a minute's budget.
local GRACE = 1300000      -- In which all who have a part of a document that was lost have told.
local FULL = 1000          -- The whole rate, for the ramp.

local report = cjson.decode(ARGV[1])
local clock = redis.call('TIME')
local wall = clock[1] * 1e6 + clock[2]
local kept = redis.call('HMGET', KEYS[1], 'doc', report.id)
local doc = kept[1] and cmsgpack.unpack(kept[1])
if doc and doc.format ~= 1 then
    return redis.error_reply('ERR ' .. KEYS[1] .. ' was written by another version of ratellmiter')
end
if not doc then
    doc = {
        format = 1, zero = string.format('%.0f', wall), now = 0, tat = 0, flows = {}, members = {}, ghosts = {}, learned = {}, through = {},
        episode = 0, phase = 'flowing', own = 2e6, first = true, slowest = 0, unexplained = false,
        ramp = { level = FULL, second = -4e6, allowed = 0, used = 0, carry = 0, steep = false },
    }
end
-- A clock that was set back stands still until it has caught up.
local now = math.max(wall - tonumber(doc.zero), doc.now)
local passed = now - doc.now
doc.now = now

local members = doc.members
local crew = 0
for _ in pairs(members) do crew = crew + 1 end
local PERIOD = math.min(math.max(SHORTEST * crew / MANY, SHORTEST), LONGEST)
local MEMORY = 2 * PERIOD  -- For so long one who asked late is owed its part.
local me = members[report.id]
if me and me.epoch ~= doc.zero then me = nil end
-- The answer to this step was lost on its way.
if me and me.step == report.step then return kept[2] end
local is_new = not me or report.epoch ~= doc.zero
if report.epoch and report.epoch ~= doc.zero then doc.grace = GRACE end

-- What one who is gone took, by the space and by when it counts no longer.
local function haunt(ghost, key, amount, ends)
    if amount <= 0 or ends <= now then return end
    local grain = ends > now + 2 * MINUTE and HOUR or 1e6
    local at = string.format('%.0f', math.ceil(ends / grain) * grain)
    ghost[key] = ghost[key] or {}
    ghost[key][at] = (ghost[key][at] or 0) + amount
end

local function ghosts_in(key)
    local sum = 0
    for _, ghost in pairs(doc.ghosts) do
        for _, amount in pairs(ghost[key] or {}) do sum = sum + amount end
    end
    return sum
end

local function lose_canary(id)
    if doc.phase == 'canary' and doc.canary.id == id then
        doc.phase, doc.paused, doc.canary = 'paused', now, nil
    end
end

local function name_of(id) return id .. ' name' end

-- What a process took counts for its minute or day, whether or not it lives; its calls out do not.
local function remove(id, member)
    members[id] = nil
    redis.call('HDEL', KEYS[1], id, name_of(id))
    lose_canary(id)
    local ghost = {}
    for key, space in pairs(member.spaces) do
        -- Of one who died nobody knows how much of its room it used since it was heard last.
        local untold = math.max((space.room or 0) - space.taken, 0)
        if member.hours[key] then
            haunt(ghost, key, untold, member.seen + 24 * HOUR)
            for age, amount in ipairs(member.hours[key]) do haunt(ghost, key, amount, member.seen + (25 - age) * HOUR) end
        elseif key ~= 'in_flight' then
            haunt(ghost, key, space.taken + untold, member.seen + MINUTE)
        end
    end
    if next(ghost) then doc.ghosts[id] = ghost end
end

for id, member in pairs(members) do
    if id ~= report.id and now - member.seen > PATIENCE then remove(id, member) end
end
-- One who comes back tells itself what it took.
doc.ghosts[report.id] = nil
local crowd = 0
for id, ghost in pairs(doc.ghosts) do
    for key, amounts in pairs(ghost) do
        for at in pairs(amounts) do
            if tonumber(at) <= now then amounts[at] = nil end
        end
        if not next(amounts) then ghost[key] = nil end
    end
    if next(ghost) then crowd = crowd + 1 else doc.ghosts[id] = nil end
end
if crowd > 32 then
    local all = {}
    for _, ghost in pairs(doc.ghosts) do
        for key, amounts in pairs(ghost) do
            for at, amount in pairs(amounts) do haunt(all, key, amount, tonumber(at)) end
        end
    end
    doc.ghosts = { [''] = all }
end

local function save()
    redis.call('HSET', KEYS[1], 'doc', cmsgpack.pack(doc))
    redis.call('EXPIRE', KEYS[1], KEPT)
end

-- Limits that differ are nobody's to choose between. A process that is alone may have changed its mind.
for id in pairs(members) do
    if id ~= report.id and doc.limits ~= report.limits then
        if me then remove(report.id, me) end
        save()
        return cjson.encode({ conflict = { name = redis.call('HGET', KEYS[1], name_of(id)), limits = doc.limits } })
    end
end

if report.intent == 'looks' then
    -- One that answers but cannot keep anything is as good as none: this fails there.
    save()
    return cjson.encode({ welcome = true })
end

-- The rate, in calls a minute: what was learned, and what the headers that anybody saw leave.

local function learned(key, most)
    local known = doc.learned[key]
    if not known then return most end
    local allowed
    if known.pressed < known.back then
        local left = 1 - known.pressed / known.back
        allowed = known.ceiling - (known.ceiling - known.low) * left * left * left
    else
        allowed = known.ceiling * (1 + 0.02 * (2 ^ math.min((known.pressed - known.back) / 2, 60) - 1))
    end
    return math.min(math.max(allowed, known.least), most)
end

local function teach(key, through, most, least)
    through = math.min(math.max(through, least), most)
    local known, back = doc.learned[key], 6
    if known and known.ceiling / 1.25 <= through and through <= known.ceiling * 1.25 then
        back = math.min(known.back * 1.5, 240)
    end
    doc.learned[key] = { low = through * 0.85, ceiling = through, back = back, pressed = 0, least = least }
end

local function press(key, most)
    local known = doc.learned[key]
    if known and learned(key, most) < most then known.pressed = known.pressed + passed / 1e6 end
end

local per_minute = report.rate
local steps = report.ramp
local from_idle = report.burst == 0
if not report.learns then doc.learned = {} end
doc.limits, doc.usual = report.limits, report.usual or doc.usual

local function rate()
    local allowed = learned('requests', per_minute)
    if report.served then allowed = math.min(allowed, report.served) end
    for id, member in pairs(members) do
        if id ~= report.id and member.served then allowed = math.min(allowed, member.served) end
    end
    return math.max(allowed, 1)
end

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

-- How many calls really go through, by the second; newest last.

local function went(count)
    local second = math.floor(now / 1e6)
    local last = doc.through[#doc.through]
    if last and last[1] == second then
        last[2] = last[2] + count
    elseif count > 0 then
        table.insert(doc.through, { second, count })
    end
    while doc.through[1] and doc.through[1][1] < second - 120 do table.remove(doc.through, 1) end
end

local function came_back(count)
    for index = #doc.through, 1, -1 do
        local taken = math.min(doc.through[index][2], count)
        doc.through[index][2], count = doc.through[index][2] - taken, count - taken
    end
end

local function going_through()
    local count, since = 0, now
    for index = #doc.through, 1, -1 do
        if count >= 10 and since + 5e6 <= now then break end
        count, since = count + doc.through[index][2], doc.through[index][1] * 1e6
    end
    local span = (now - since) / 1e6
    if count >= 3 and span >= 1 then return count / span * 60 end
end

-- What the process tells.

local before = not is_new and me or nil
local unused = is_new and 0 or report.unused
local interval = MINUTE / (rate() * (1 - SPARE))
if unused > 0 then
    doc.tat = doc.tat - unused * interval
    ramp.used = math.max(ramp.used - unused, 0)
    came_back(unused)
end

local function resume(at, sent)
    doc.phase, doc.canary, doc.paused = 'flowing', nil, nil
    doc.own, doc.first, doc.through = 2e6, true, {}
    start_ramp(math.max(sent, at - 1e6), 3)
    ramp.steep, ramp.used = true, 1
    doc.tat = math.max(doc.tat, at)
end

local function pause(hint, begins)
    if hint and hint > 600e6 then hint = nil end
    if begins then
        if doc.phase == 'flowing' then doc.episode = doc.episode + 1 end
        local time = hint or doc.own
        if hint and not doc.first then time = math.max(hint, doc.own) end
        if not doc.first or not hint then doc.own = math.min(doc.own * 1.5, 65e6) end
        doc.first = false
        doc.phase, doc.canary = 'paused', nil
        doc.paused = now + time + report.jitter * math.min(math.max(time / 20, 10000), 500000)
    elseif doc.phase == 'paused' then
        doc.paused = math.max(doc.paused, now + (hint or 0))
    end
end

local function total(key, mine)
    local sum = mine
    for id, member in pairs(members) do
        if id ~= report.id and member.spaces[key] then sum = sum + member.spaces[key].taken end
    end
    return sum + ghosts_in(key)
end

-- A refusal that begins an episode teaches what went through.
local function learn(refusal)
    if not report.learns or not refusal.teaches then return end
    if refusal.teaches == 'in_flight' then
        local mine = report.spaces.in_flight
        teach('in_flight', total('in_flight', mine.taken + 1), mine.limit, 1)
        return
    end
    local fullest, part
    for _, key in ipairs(refusal.budgets or {}) do
        local this = total(key, report.spaces[key].taken) / report.spaces[key].limit
        if not fullest or this > part then fullest, part = key, this end
    end
    if fullest then
        local most = report.spaces[fullest].limit
        local over = math.min(math.max(now - (doc.started or 0), 5e6), MINUTE)
        local through = part * most * MINUTE / over
        teach(fullest, math.min(through, learned(fullest, most)), most, math.max(most / 100, 1))
        return
    end
    local current = math.min(ramp.level / FULL * per_minute, rate())
    local through = going_through()
    -- Refused before enough went to tell how much goes: once that is an accident.
    doc.unexplained = not through and not doc.unexplained
    if not doc.unexplained then teach('requests', math.min(through or current, current), per_minute, 1) end
end

if is_new then
    doc.started = doc.started or now
    -- Of a document that is gone this process knows more.
    if next(members) == nil or (me == nil and next(doc.learned) == nil) then
        for key, ceiling in pairs(report.ceilings) do
            local most = key == 'requests' and per_minute or report.spaces[key] and report.spaces[key].limit
            if report.learns and most and not doc.learned[key] then teach(key, ceiling, most, 1) end
        end
        if report.paused > 0 and doc.phase == 'flowing' then
            doc.phase, doc.paused, doc.episode = 'paused', now + report.paused, doc.episode + 1
        end
    end
end

for _, refusal in ipairs(report.refusals or {}) do
    doc.slowest = math.max(doc.slowest, refusal.after)
    came_back(1)
    local is_canary = refusal.is_canary and doc.phase == 'canary' and doc.canary.id == report.id
    local begins = is_canary or doc.phase == 'flowing' and (not refusal.episode or refusal.episode == doc.episode)
    if begins and not refusal.is_canary then learn(refusal) end
    pause(refusal.hint, begins)
end

if doc.phase == 'canary' and doc.canary.id == report.id then
    local sent = doc.canary.sent
    if report.canary == 'accepted' then
        resume(now, sent)
    elseif report.canary == 'kept' then
        doc.canary.by = doc.canary.by + passed
    elseif report.canary == 'lost' or is_new then
        lose_canary(report.id)
    end
end
if doc.phase == 'canary' and doc.canary.by <= now then resume(doc.canary.by, doc.canary.sent) end

if report.intent == 'leaves' then
    -- Also of one who rests already: it took what it took.
    remove(report.id, { seen = now, spaces = report.spaces, hours = report.hours })
    save()
    return cjson.encode({ welcome = false })
end

-- Who is there, and what each wants.

local credit, unmet = me and me.credit, me and me.unmet or false
if not credit then
    -- One who is new is owed as much as the others, and its first call.
    local sum, others = 0, 0
    for id, member in pairs(members) do
        if id ~= report.id then sum, others = sum + member.credit, others + 1 end
    end
    credit = others > 0 and math.max(sum / others, 1) or 1
end
-- One whose demand begins does not know who else's does: it gets little at first, and asks again soon, when others may have said
-- so, for twice as much; until that is as much as anybody gets.
local begins
if not me or me.line + me.recent == 0 then begins = 1 elseif me.begins then begins = 2 * me.begins end
local elapsed = me and math.min(now - me.seen, MEMORY + report.lag) or PERIOD
credit = credit + unused
me = {
    seen = now, epoch = doc.zero, step = report.step, line = report.line, recent = report.recent, refused = report.refused,
    served = report.served, spaces = {}, paces = {}, hours = report.hours,
    waiting = math.max(report.line - report.held_slots, 0), unmet = unmet, hungry = me and me.hungry or {}, fed = me and me.fed or {}, held = report.held,
}
members[report.id] = me

local count, refused, lines, is_waiting, is_pressed, pressed = 0, 0, 0, false, false, {}
for id, member in pairs(members) do
    count = count + 1
    refused = refused + member.refused
    lines = lines + member.line + member.recent
    is_waiting = is_waiting or member.unmet
    is_pressed = is_pressed or member.unmet and not member.held
    local space = member.held and member.spaces[member.held]
    if member.held then pressed[member.held] = space and space.limit or math.huge end
end
-- A second in which many wait for the same is a second.
for key, most in pairs(pressed) do press(key, most) end
-- By how many wait that have no slots yet. While any call that was refused waits, those go and no others.
local function weight(member)
    if refused > 0 and doc.phase == 'flowing' then return member.refused end
    return math.max(member.waiting, member.recent)
end
if begins then
    elapsed = math.min(PERIOD * begins / count, PERIOD)
    if begins >= count then begins = nil end
end
me.begins = begins
local weights = 0
for _, member in pairs(members) do weights = weights + weight(member) end
local part = weights > 0 and weight(me) / weights or 1 / count
local share = 0.9 * (lines > 0 and (me.line + me.recent) / lines or 1 / count) + 0.1 / count

if doc.phase == 'flowing' then
    roll_ramp(now, is_waiting)
    if is_pressed and ramp.level / FULL * per_minute >= rate() then press('requests', per_minute) end
end

-- Places in a space that all share: calls out, or what a minute or a day holds.

-- How much room one must have to go on: of a call that is out the place is free when it ends.
local function need(key, space)
    return key == 'in_flight' and space.head or space.taken + space.head
end

local function share_of(space, demand, limit)
    return math.ceil(limit * (space.taken + space.wants) / demand)
end

-- Until so much of what counts in a space has left it: what a day holds is known by the hour; what a minute holds is taken to
-- be spread over it.
local function time_until_free(key, excess)
    local leaving = {}
    local function leaves(amount, ends)
        if amount > 0 then table.insert(leaving, { math.max(ends, now), amount }) end
    end
    for _, ghost in pairs(doc.ghosts) do
        for at, amount in pairs(ghost[key] or {}) do leaves(amount, tonumber(at)) end
    end
    for _, member in pairs(members) do
        if member.hours[key] then
            for age, amount in ipairs(member.hours[key]) do leaves(amount, member.seen + (25 - age) * HOUR) end
        elseif member.spaces[key] then
            for part = 1, 6 do leaves(member.spaces[key].taken / 6, member.seen + part * MINUTE / 6) end
        end
    end
    table.sort(leaving, function(one, other) return one[1] < other[1] end)
    local last = now
    for _, this in ipairs(leaving) do
        if excess <= 0 then break end
        excess, last = excess - this[2], this[1]
    end
    return last - now
end

local spaces, others, frees = {}, {}, {}
for key, mine in pairs(report.spaces) do
    local limit = math.floor(learned(key, mine.limit) + 0.5)
    local held, demand = ghosts_in(key), mine.taken + mine.wants
    local hungriest, since
    local took = held
    local has_longest = me.fed[key] ~= nil
    for id, member in pairs(members) do
        local other = id ~= report.id and member.spaces[key]
        if other then
            held = held + math.max(other.room, other.taken)
            took = took + other.taken
            demand = demand + other.taken + other.wants
            local hungry, fed = member.hungry[key], member.fed[key]
            if hungry and hungry < now - 1e6 and (not since or hungry < since) then hungriest, since = other, hungry end
            if fed and me.fed[key] and fed < me.fed[key] then has_longest = false end
        end
    end
    local free = math.max(limit - held, 0)
    local room = math.min(mine.taken + mine.wants, free)
    if demand > limit then
        room = math.min(room, share_of(mine, demand, limit))
        local is_last = since and not (me.hungry[key] and me.hungry[key] < since)
        if is_last and key == 'in_flight' then
            -- Who has had a place for longest makes room for who has had none for longest.
            if has_longest then room = 0 end
        elseif is_last and need(key, hungriest) > share_of(hungriest, demand, limit) then
            -- A call that is too large for the part of its process goes before all others.
            room = 0
        elseif me.hungry[key] then
            room = math.max(room, math.min(need(key, mine), free))
        end
        -- A part that is too small for the next call is of no use here, and what another waits for.
        if is_last and room < need(key, mine) then room = math.min(room, mine.taken) end
    end
    -- The others have not told yet what they hold, of which this document knows nothing.
    if doc.grace and now < doc.grace and mine.limit < ANY then room = 0 end
    me.spaces[key] = { taken = mine.taken, wants = mine.wants, head = mine.head, room = room, limit = mine.limit }
    if mine.wants > 0 and room < need(key, mine) then
        me.hungry[key], me.fed[key] = me.hungry[key] or now, nil
    else
        me.hungry[key], me.fed[key] = nil, mine.wants > 0 and (me.fed[key] or now) or nil
    end
    spaces[key] = room
    if key ~= 'in_flight' then
        others[key] = took
        local excess = math.min(took + mine.taken + mine.head - limit, took + mine.taken)
        if excess > 0 then frees[key] = time_until_free(key, excess) end
    end
end

-- The pace of what a minute holds: a schedule of its own, on which a slot takes what a call of this process costs. What its
-- calls really cost is told later, and moves the schedule by the difference.

local paces, flows, slack = {}, {}, math.max(report.burst, SLACK)
for key, mine in pairs(report.paces) do
    local limit = math.min(learned(key, report.spaces[key].limit), mine.limit)
    local each, among = mine.each * math.max(weight(me), 1), math.max(weight(me), 1)
    for id, member in pairs(members) do
        local other = id ~= report.id and member.paces[key]
        if other then
            limit = math.min(limit, other.limit)
            each, among = each + other.each * weight(member), among + weight(member)
        end
    end
    local flow = doc.flows[key] or { tat = 0, credit = 0 }
    local token = MINUTE / (math.max(limit, 1) * (1 - SPARE))
    local earliest = now - slack
    flow.tat = math.max(flow.tat, earliest)
    local told = before and before.paces[key]
    if told then
        flow.tat = flow.tat + (mine.reserved - told.reserved) * token
        if flow.tat < earliest then
            flow.credit = math.min(flow.credit + (earliest - flow.tat) / token, limit / CREDIT)
            flow.tat = earliest
        end
    end
    doc.flows[key] = flow
    me.paces[key] = { limit = mine.limit, each = mine.each, reserved = mine.reserved }
    paces[key] = limit
    if mine.each > 0 then
        local this = { key = key, flow = flow, told = me.paces[key], each = mine.each, token = token }
        this.gap, this.usual = mine.each * token, each / among * token
        table.insert(flows, this)
    end
end

-- The budget that has its next slot last, and when.
local function flow_due()
    local due, bound = 0, nil
    for _, this in ipairs(flows) do
        if this.flow.tat > due then due, bound = this.flow.tat, this.key end
    end
    return due, bound
end

local function flow_take(first, slots)
    for _, this in ipairs(flows) do
        local flow, cost = this.flow, slots * this.each
        local credit = math.min(flow.credit, cost)
        flow.credit = flow.credit - credit
        flow.tat = math.max(flow.tat, first - slack) + (cost - credit) * this.token
        this.told.reserved = this.told.reserved + cost
    end
end

-- Slots on the one schedule that all share.

local wants, spans, given, is_canary, again, bound = report.wants, {}, 0, false, 0, nil
local horizon = now + 2 * PERIOD + report.lag
interval = MINUTE / (rate() * (1 - SPARE))

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
    local is_first = true
    for id, member in pairs(members) do
        if id ~= report.id and member.unmet and weight(member) > 0 and member.credit > credit then is_first = false end
    end
    local free = math.floor(credit)
    if not begins and math.max(doc.tat, (flow_due())) + weights * pace <= horizon then
        -- All that wait go so soon that nobody need be held back.
        free = math.max(free, me.waiting)
    end
    allot(math.min(may, free), horizon)
    -- What others leave goes to whoever asks, and is counted.
    if given < may then allot(may, is_first and now + (begins and elapsed or PERIOD / 2) or now) end
    credit = credit - given
    me.waiting = math.max(me.waiting - given, 0)
    went(given)
    if given < wants then
        local due = math.max(doc.tat, (flow_due()))
        again = math.max(PERIOD, due - now - (is_first and PERIOD / 2 or 0))
        if steps and ramp.level < FULL then again = math.min(again, PERIOD) end
        if begins then again = math.min(again, 0.75 * elapsed) end
    end
elseif doc.phase == 'paused' then
    again = doc.paused - now
    local goes = wants > 0 and (report.refused > 0 or refused == 0)
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
    if space.room < space.taken + space.wants then
        again = math.max(again, key == 'in_flight' and math.min(count * WATCH, PERIOD) or PERIOD)
    end
end
me.unmet = doc.phase == 'flowing' and given < (refused > 0 and math.min(wants, report.refused) or wants)
me.credit = credit

local pace = learned('requests', per_minute)
local answer = {
    epoch = doc.zero, episode = doc.episode, period = PERIOD, spans = #spans > 0 and spans or nil, is_canary = is_canary, again = again,
    spaces = spaces, others = others, frees = frees, usual = doc.usual, paces = paces, bound = given < wants and bound or nil, members = count, share = share, pace = rate(),
    rate = doc.phase == 'flowing' and math.min(ramp.level / FULL * per_minute, rate()) or 0,
    is_ramping = ramp.level < FULL, is_room_limited = report.spaces.in_flight.limit < ANY, ceilings = {}, learned = {},
}
if doc.phase == 'paused' then answer.paused = math.max(doc.paused - now, 0) end
if doc.phase == 'canary' then answer.paused = math.max(doc.canary.by - now, 0) end
for key, known in pairs(doc.learned) do
    local most = key == 'requests' and per_minute or report.spaces[key] and report.spaces[key].limit
    if most and learned(key, most) < most then
        answer.ceilings[key], answer.learned[key] = known.ceiling, learned(key, most)
    end
end
local words = cjson.encode(answer)
save()
redis.call('HSET', KEYS[1], report.id, words)
if is_new then redis.call('HSET', KEYS[1], name_of(report.id), report.name) end
return words
