-- Shared capacity: calls in flight, and budgets of a minute or a day. It is divided by demand.

local HANDOVER = 1e6 -- Head start in the queue, in microseconds, before in-flight capacity is handed over, which takes time.

local function share_of(space, demand, limit) return math.ceil(limit * (space.taken + space.wanted) / demand) end

-- Returns the capacity held by other processes, including the usage of departed ones, and the demand of all.
local function usage_and_demand(s, key, mine)
    local held, demand = Members.departed_total(s.doc, key), mine.taken + mine.wanted
    for other in Members.others(s, 'capacity', key) do
        held, demand = held + math.max(other.room, other.taken), demand + other.taken + other.wanted
    end
    return held, demand
end

-- Returns the maximum number of calls in flight while this process hands one over: one process at a time, for the life of a lease.
local function in_flight_limit(s, mine, is_above, is_next)
    local handover = s.doc.handover
    local giver = handover and s.doc.members[handover.id]
    local space = giver and giver.capacity[C.IN_FLIGHT]
    if not space or space.taken <= handover.keeps or handover.at < s.now - C.GRANT_LIFETIME or handover.id == s.id and not is_above then
        handover = nil
    end
    if not handover and is_above and is_next then handover = { id = s.id, at = s.now, keeps = mine.taken - 1 } end
    s.doc.handover = handover
    return handover and handover.id == s.id and handover.keeps or C.UNLIMITED
end

-- Returns the room for calls in flight. The process with the most calls and the shortest wait hands one over to a longer wait.
local function room_in_flight(s, _, mine, limit)
    local held, demand = usage_and_demand(s, C.IN_FLIGHT, mine)
    local free = math.max(limit - held, 0)
    local room = math.min(mine.taken + (s.me.lacks_budget and 0 or mine.wanted), free)
    if demand <= limit then
        local max = in_flight_limit(s, mine, false, false)
        mine.is_plentiful = room <= max
        return math.min(room, max)
    end
    -- Compares with the processes that can use capacity at once and have waited for clearly longer.
    local has_waiter, is_above, is_last = false, false, mine.taken > 0
    for other, member in Members.others(s, 'capacity', C.IN_FLIGHT) do
        if other.wanted > 0 and not member.lacks_budget then
            local has = math.max(other.room, other.taken)
            if has >= mine.taken and has > 0 and member.queued_since > s.me.queued_since then is_last = false end
            if has < math.max(share_of(other, demand, limit), 1) and member.queued_since < s.me.queued_since - HANDOVER then
                has_waiter = has_waiter or has <= mine.taken
                is_above = is_above or has < mine.taken
            end
        end
    end
    room = math.min(room, share_of(mine, demand, limit))
    if has_waiter then
        room = math.min(room, mine.taken)
    elseif mine.taken == 0 then
        room = math.max(room, math.min(mine.head_cost, free))
    end
    return math.min(room, in_flight_limit(s, mine, is_above, is_last and free <= mine.taken))
end

-- Returns the usage of a budget by the part of its window, counted from now, at whose end it expires, and the sum.
local function expiring(s, key, part)
    if s.expiring[key] then return s.expiring[key].by_part, s.expiring[key].sum end
    local by_part, sum = {}, 0
    local function add(amount, at)
        if amount > 0 and at > 0 then by_part[at], sum = (by_part[at] or 0) + amount, sum + amount end
    end
    for _, usage in pairs(s.doc.departed) do
        for at, amount in pairs(usage[key] or {}) do add(amount, math.ceil((tonumber(at) - s.now) / part)) end
    end
    for _, member in pairs(s.doc.members) do
        local space = member.capacity[key]
        if space then
            local first, step = (member.seen + space.window - s.now) / part, space.grain / part
            for age, amount in ipairs(cmsgpack.unpack(space.parts)) do add(amount, math.ceil(first - (age - 1) * step)) end
            add(space.room - space.taken, Members.RESOLUTION)
        end
    end
    s.expiring[key] = { by_part = by_part, sum = sum }
    return by_part, sum
end

-- Returns the time until a call of `cost` fits. A call larger than the limit fits when all other usage has expired.
local function time_until_fits(s, key, space, cost, limit)
    local part = space.window / Members.RESOLUTION
    local by_part, sum = expiring(s, key, part)
    local at = 0
    while sum > 0 and sum + cost > limit and at <= Members.RESOLUTION do
        at = at + 1
        sum = sum - (by_part[at] or 0)
    end
    return at * part
end

-- Returns the rest of the budget after `time`, beside a call of `cost`.
local function left_beside(s, key, space, cost, limit, time)
    local part = space.window / Members.RESOLUTION
    local by_part, sum = expiring(s, key, part)
    for at = 1, time / part do sum = sum - (by_part[at] or 0) end
    return math.max(limit - sum - cost, 0)
end

local function does_not_fit(space) return space.wanted > 0 and space.lacks end

-- Returns the process of the oldest call that does not fit, and the time at which it will. It is next, and smaller calls use the rest.
-- Another process becomes next only if its call is more than a minute older.
local function head_of_queue(s, key, limit)
    local head, members = s.doc.turns[key], s.doc.members
    local holder = head and members[head.id]
    if not (holder and holder.capacity[key] and does_not_fit(holder.capacity[key])) then holder = nil end
    local first, since = holder and head.id, holder and holder.queued_since - C.MINUTE
    for id, member in pairs(members) do
        local waits = member.capacity[key] and does_not_fit(member.capacity[key])
        if waits and (not first or member.queued_since < since or member.queued_since == since and id < first) then
            first, since = id, member.queued_since
        end
    end
    if not first then
        head = nil
    elseif not holder or first ~= head.id then
        local space = members[first].capacity[key]
        -- Reported ages are rounded to one part.
        head = { id = first, at = s.now + time_until_fits(s, key, space, space.head_cost, limit) + space.window / C.AGES }
    end
    s.doc.turns[key] = head
    return head
end

-- Returns the room in a budget of a minute or a day. A call that does not fit waits until enough usage has expired.
local function room_in_budget(s, key, mine, limit)
    if mine.wanted == 0 then return mine.taken end
    local held, demand = usage_and_demand(s, key, mine)
    local free = math.max(limit - held - mine.taken, 0)
    local more = math.min(mine.wanted, free)
    if mine.head_cost > limit and held + mine.taken <= 0 then more = mine.head_cost end
    if demand > limit then
        local part = math.max(share_of(mine, demand, limit) - mine.taken, 0)
        local head = head_of_queue(s, key, limit)
        -- A lease needs at most the amount that the pace allows while it lasts, and the cost of the next call.
        local max = math.max(part, mine.head_cost, limit * s.memory / C.MINUTE)
        if head and head.id ~= s.id then
            local first = s.doc.members[head.id].capacity[key]
            more = math.min(more, left_beside(s, key, first, first.head_cost, limit, head.at - s.now))
            -- No process exceeds its part while an older call of another process fits.
            for other, member in Members.others(s, 'capacity', key) do
                if member.queued_since < s.me.queued_since and does_not_fit(other) and other.head_cost <= free then max = part end
            end
        end
        more = math.min(more, max)
    end
    -- Room for less than one call would be wasted.
    return mine.taken + (more < mine.head_cost and 0 or math.floor(more))
end

local function take_room(s, key, mine, limit, room_of)
    mine.room, mine.lacks, s.me.capacity[key] = mine.taken, mine.head_cost > 0, mine
    local room = room_of(s, key, mine, limit)
    -- Calls with slots may be sent before the reply arrives.
    local had = s.before_or_new and s.before_or_new.capacity[key]
    if had and (mine.window or had.is_plentiful) then
        room = math.max(room, math.min(had.room, mine.taken + s.report.held_slots * mine.max_cost))
    end
    -- After a lost document, the other processes have not reported their usage yet.
    if s.doc.grace and s.now < s.doc.grace and mine.limit < C.UNLIMITED then room = 0 end
    mine.room, mine.lacks = room, room < mine.taken + mine.head_cost
end

-- Returns the usage of a daily budget that other processes may add until they notice that the server is unreachable.
local function overshoot(s, key)
    local wanted, max_cost = 0, 0
    for other in Members.others(s, 'capacity', key) do
        wanted, max_cost = wanted + math.max(other.wanted, other.room - other.taken), math.max(max_cost, other.max_cost)
    end
    return math.min(wanted, max_cost * math.ceil(s.rate() * (C.LOSS_TIMEOUT + C.LOSS_RETRY) / C.MINUTE))
end

-- Assigns room to this process, and computes the usage by others and the time until its next call fits.
function Capacity.assign(s)
    s.expiring, s.used_by_others, s.free_in, s.overshoot_of_day = {}, {}, {}, {}
    for key, mine in pairs(s.report.capacity) do
        if mine.window then
            take_room(s, key, mine, mine.limit, room_in_budget)
            local used = Members.used_by_others(s, key)
            s.used_by_others[key] = used
            if used + mine.taken + mine.head_cost > mine.limit then
                s.free_in[key] = time_until_fits(s, key, mine, mine.head_cost, mine.limit)
            end
            if mine.window > C.MINUTE then s.overshoot_of_day[key] = overshoot(s, key) end
            -- A slot would be wasted before its call fits.
            s.me.lacks_budget = s.me.lacks_budget or does_not_fit(mine) and key or nil
        end
    end
    -- A process that lacks room in a budget gets no in-flight capacity, and one without in-flight capacity gets no slots.
    local calls = s.report.capacity[C.IN_FLIGHT]
    take_room(s, C.IN_FLIGHT, calls, math.floor(Adaptive.allowed(s.doc.adapted[C.IN_FLIGHT], calls.limit) + 0.5), room_in_flight)
    s.me.lacks_place = calls.wanted > 0 and math.max(calls.room, calls.taken) == 0
end

-- Returns the room for the reply, and keeps only that of the calls with slots, because other processes cannot use it.
function Capacity.settle(s, slots)
    local rooms = {}
    for key, mine in pairs(s.report.capacity) do
        rooms[key] = mine.window and math.min(mine.room, mine.taken + math.max(slots, 1) * mine.max_cost) or mine.room
        mine.room = math.min(mine.room, mine.taken + slots * mine.max_cost)
    end
    return rooms
end
