-- Capacity that all processes take together: calls in flight, and budgets of a minute or a day. It is divided by demand.

local HANDOVER = 1e6 -- A process that waits for a place is passed for at most this long: a handover takes time.

local function share_of(space, demand, limit)
    return math.ceil(limit * (space.taken + space.wanted) / demand)
end

-- Returns the room that others hold, with what departed ones have used, and the demand of all.
local function usage_and_demand(s, key, mine)
    local held, demand = Members.departed_total(s.doc, key), mine.taken + mine.wanted
    for other in Members.others(s, 'capacity', key) do
        held, demand = held + math.max(other.room, other.taken), demand + other.taken + other.wanted
    end
    return held, demand
end

-- Returns how many places this process may keep if it hands one over, which one process does at a time: until it has, or its
-- calls take too long.
local function kept_places(s, mine, is_passed, is_next)
    local handover = s.doc.handover
    local giver = handover and s.doc.members[handover.id]
    local space = giver and giver.capacity[C.IN_FLIGHT]
    if not space or space.taken <= handover.keeps or handover.at < s.now - C.GRANT_LIFETIME or handover.id == s.id and not is_passed then
        handover = nil
    end
    if not handover and is_passed and is_next then handover = { id = s.id, at = s.now, keeps = mine.taken - 1 } end
    s.doc.handover = handover
    return handover and handover.id == s.id and handover.keeps or C.UNLIMITED
end

-- Calls in flight: a place is free when its call ends. The next place of the process with more, which has waited least, goes to
-- one with fewer that has waited for clearly longer.
local function room_in_flight(s, _, mine, limit)
    local held, demand = usage_and_demand(s, C.IN_FLIGHT, mine)
    local free = math.max(limit - held, 0)
    local room = math.min(mine.taken + (s.me.lacks_budget and 0 or mine.wanted), free)
    if demand <= limit then
        local most = kept_places(s, mine, false, false)
        mine.is_plentiful = room <= most
        return math.min(room, most)
    end
    -- Compares with the processes that can use a place at once and have waited for clearly longer.
    local is_passed, gives, is_last = false, false, mine.taken > 0
    for other, member in Members.others(s, 'capacity', C.IN_FLIGHT) do
        if other.wanted > 0 and not member.lacks_budget then
            local has = math.max(other.room, other.taken)
            if has >= mine.taken and has > 0 and member.queued_since > s.me.queued_since then is_last = false end
            if has < math.max(share_of(other, demand, limit), 1) and member.queued_since < s.me.queued_since - HANDOVER then
                is_passed = is_passed or has <= mine.taken
                gives = gives or has < mine.taken
            end
        end
    end
    room = math.min(room, share_of(mine, demand, limit))
    if is_passed then
        room = math.min(room, mine.taken)
    elseif mine.taken == 0 then
        room = math.max(room, math.min(mine.head_cost, free))
    end
    return math.min(room, kept_places(s, mine, gives, is_last and free <= mine.taken))
end

-- Returns the usage of a budget by the number of parts of its window after which it expires, and its sum.
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

-- Returns how long until a call of this cost fits. A call larger than the limit is sent when nothing else counts.
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

-- Returns what is left beside a call of this cost after `time`.
local function left_beside(s, key, space, cost, limit, time)
    local part = space.window / Members.RESOLUTION
    local by_part, sum = expiring(s, key, part)
    for at = 1, time / part do sum = sum - (by_part[at] or 0) end
    return math.max(limit - sum - cost, 0)
end

local function does_not_fit(space) return space.wanted > 0 and space.lacks end

-- Of the calls that do not fit, the oldest is next; smaller calls use what will be left beside it. Returns its process and the time
-- at which it fits. A process is passed for at most a minute.
local function turn_in(s, key, limit)
    local turn, members = s.doc.turns[key], s.doc.members
    local holder = turn and members[turn.id]
    if not (holder and holder.capacity[key] and does_not_fit(holder.capacity[key])) then holder = nil end
    local first, since = holder and turn.id, holder and holder.queued_since - C.MINUTE
    for id, member in pairs(members) do
        local waits = member.capacity[key] and does_not_fit(member.capacity[key])
        if waits and (not first or member.queued_since < since or member.queued_since == since and id < first) then
            first, since = id, member.queued_since
        end
    end
    if not first then
        turn = nil
    elseif not holder or first ~= turn.id then
        local space = members[first].capacity[key]
        -- Reported ages are off by up to one part.
        turn = { id = first, at = s.now + time_until_fits(s, key, space, space.head_cost, limit) + space.window / C.AGES }
    end
    s.doc.turns[key] = turn
    return turn
end

-- A minute's or a day's budget: a call that does not fit waits until enough has expired.
local function room_in_budget(s, key, mine, limit)
    if mine.wanted == 0 then return mine.taken end
    local held, demand = usage_and_demand(s, key, mine)
    local free = math.max(limit - held - mine.taken, 0)
    local more = math.min(mine.wanted, free)
    if mine.head_cost > limit and held + mine.taken <= 0 then more = mine.head_cost end
    if demand > limit then
        local part = math.max(share_of(mine, demand, limit) - mine.taken, 0)
        local turn = turn_in(s, key, limit)
        -- A lease needs no more than all may spread in its time, and the next call.
        local most = math.max(part, mine.head_cost, limit * s.memory / C.MINUTE)
        if turn and turn.id ~= s.id then
            local first = s.doc.members[turn.id].capacity[key]
            more = math.min(more, left_beside(s, key, first, first.head_cost, limit, turn.at - s.now))
            -- No process takes more than its part while an older call of another fits.
            for other, member in Members.others(s, 'capacity', key) do
                if member.queued_since < s.me.queued_since and does_not_fit(other) and other.head_cost <= free then most = part end
            end
        end
        more = math.min(more, most)
    end
    -- Room for less than a call is of no use here.
    return mine.taken + (more < mine.head_cost and 0 or math.floor(more))
end

local function take_room(s, key, mine, limit, room_of)
    mine.room, mine.lacks, s.me.capacity[key] = mine.taken, mine.head_cost > 0, mine
    local room = room_of(s, key, mine, limit)
    -- Calls with slots may be sent while the reply is on its way.
    local had = s.before_or_new and s.before_or_new.capacity[key]
    if had and (mine.window or had.is_plentiful) then
        room = math.max(room, math.min(had.room, mine.taken + s.report.held_slots * mine.max_cost))
    end
    -- After a lost document the other processes have not reported yet what they hold.
    if s.doc.grace and s.now < s.doc.grace and mine.limit < C.UNLIMITED then room = 0 end
    mine.room, mine.lacks = room, room < mine.taken + mine.head_cost
end

-- Returns how much more of a day the others may use until they notice that the server is unreachable.
local function overshoot(s, key)
    local wanted, most = 0, 0
    for other in Members.others(s, 'capacity', key) do
        wanted, most = wanted + math.max(other.wanted, other.room - other.taken), math.max(most, other.max_cost)
    end
    return math.min(wanted, most * math.ceil(s.rate() * (C.LOSS_TIMEOUT + C.LOSS_RETRY) / C.MINUTE))
end

-- Gives this process room; works out the usage of others and the time until its next call fits.
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
            -- A slot is of no use before its call fits.
            s.me.lacks_budget = s.me.lacks_budget or does_not_fit(mine) and key or nil
        end
    end
    -- A process that lacks room in a budget takes no place, and one that has no place takes no slots.
    local calls = s.report.capacity[C.IN_FLIGHT]
    take_room(s, C.IN_FLIGHT, calls, math.floor(Adaptive.allowed(s.doc.adapted[C.IN_FLIGHT], calls.limit) + 0.5), room_in_flight)
    s.me.lacks_place = calls.wanted > 0 and math.max(calls.room, calls.taken) == 0
end

-- Reduces the room to the cost of the calls with slots: room that a process holds is no other's, and it counts if the process dies.
-- Returns the room for the reply.
function Capacity.settle(s, slots)
    local rooms = {}
    for key, mine in pairs(s.report.capacity) do
        rooms[key] = mine.window and math.min(mine.room, mine.taken + math.max(slots, 1) * mine.max_cost) or mine.room
        mine.room = math.min(mine.room, mine.taken + slots * mine.max_cost)
    end
    return rooms
end
