-- Room in what all take together. Where all want more than there is, each gets a part by what it wants.

local function share_of(space, demand, limit)
    return math.ceil(limit * (space.taken + space.wants) / demand)
end

-- How many places one may keep who is to hand one over, which it is until it has; or another is, if its calls take long.
local function hands_over(mine, is_passed, is_next)
    local giver = doc.giver
    local space = giver and members[giver.id] and members[giver.id].spaces.in_flight
    if not space or space.taken <= giver.keeps or giver.at < now - PATIENCE or giver.id == report.id and not is_passed then
        giver = nil
    end
    if not giver and is_passed and is_next then giver = { id = report.id, at = now, keeps = mine.taken - 1 } end
    doc.giver = giver
    return giver and giver.id == report.id and giver.keeps or ANY
end

-- Calls out: the place of a call is free when it ends. One that has fewer and has waited for clearly longer gets the next of whoever
-- has more and has waited least.
local function room_for_calls(_, mine, limit)
    local held, demand = 0, 0
    local function places(space) return math.max(space.room, space.taken) end
    for id, member in pairs(members) do
        local space = member.spaces.in_flight
        if id ~= report.id then held = held + places(space) end
        demand = demand + space.taken + space.wants
    end
    local free = math.max(limit - held, 0)
    local room = math.min(mine.taken + (me.lacks and 0 or mine.wants), free)
    if demand <= limit then
        local most = hands_over(mine, false, false)
        mine.plenty = room <= most
        return math.min(room, most)
    end
    -- Whether one that has no more, and room in its budgets and its part for one, has waited for clearly longer.
    local is_passed, gives, is_last = false, false, mine.taken > 0
    for id, member in pairs(members) do
        local other = member.spaces.in_flight
        if id ~= report.id and other.wants > 0 and not member.lacks then
            local has = places(other)
            if has >= mine.taken and has > 0 and member.asked > me.asked then is_last = false end
            if has < math.max(share_of(other, demand, limit), 1) and member.asked < me.asked - HANDOVER then
                is_passed = is_passed or has <= mine.taken
                gives = gives or has < mine.taken
            end
        end
    end
    room = math.min(room, share_of(mine, demand, limit))
    if is_passed then
        room = math.min(room, mine.taken)
    elseif mine.taken == 0 then
        room = math.max(room, math.min(mine.head, free))
    end
    return math.min(room, hands_over(mine, gives, is_last and free <= mine.taken))
end

-- What counts in a budget, by how many parts of its time it will still do so, and the sum of it.
local counted = {}
local function what_counts(key, part)
    if counted[key] then return counted[key].leaving, counted[key].sum end
    local leaving, sum = {}, 0
    local function leaves(amount, at)
        if amount > 0 and at > 0 then leaving[at], sum = (leaving[at] or 0) + amount, sum + amount end
    end
    for _, ghost in pairs(doc.ghosts) do
        for at, amount in pairs(ghost[key] or {}) do leaves(amount, math.ceil((tonumber(at) - now) / part)) end
    end
    for _, member in pairs(members) do
        local space = member.spaces[key]
        if space then
            -- As where a process is removed.
            local first, step = (member.seen + space.width - now) / part, space.grain / part
            for age, amount in ipairs(cmsgpack.unpack(space.parts)) do
                if amount > 0 then leaves(amount, math.ceil(first - (age - 1) * step)) end
            end
            leaves(space.room - space.taken, PARTS)
        end
    end
    counted[key] = { leaving = leaving, sum = sum }
    return leaving, sum
end

-- How long until a call that may take so much fits. One that is larger than the limit goes alone.
local function time_until_fits(key, space, head, limit)
    local part = space.width / PARTS
    local leaving, sum = what_counts(key, part)
    local at = 0
    while sum > 0 and sum + head > limit and at <= PARTS do
        at = at + 1
        sum = sum - (leaving[at] or 0)
    end
    return at * part
end

-- What will be left beside it then.
local function left_beside(key, space, head, limit, time)
    local part = space.width / PARTS
    local leaving, sum = what_counts(key, part)
    for at = 1, time / part do sum = sum - (leaving[at] or 0) end
    return math.max(limit - sum - head, 0)
end

local function is_too_large(space)
    return space.wants > 0 and space.lacks
end

-- Whose call is to fit next of all that do not, and when it will: of who asked first. It is its turn until it does; what others take
-- before that is what will be left beside it. So large calls and small ones share a minute. But nobody is passed for long.
local function turn_in(key, limit)
    local turn = doc.turns[key]
    local holder = turn and members[turn.id]
    if not (holder and holder.spaces[key] and is_too_large(holder.spaces[key])) then holder = nil end
    local first, asked = holder and turn.id, holder and holder.asked - MINUTE
    for id, member in pairs(members) do
        local waits = member.spaces[key] and is_too_large(member.spaces[key])
        if waits and (not first or member.asked < asked or member.asked == asked and id < first) then
            first, asked = id, member.asked
        end
    end
    if not first then
        turn = nil
    elseif not holder or first ~= turn.id then
        local space = members[first].spaces[key]
        -- Parts of ages shift by as much as one.
        turn = { id = first, at = now + time_until_fits(key, space, space.head, limit) + space.width / TOLD }
    end
    doc.turns[key] = turn
    return turn
end

-- A minute's or a day's: what does not fit waits until enough has left.
local function room_in_budget(key, mine, limit)
    if mine.wants == 0 then return mine.taken end
    local held, demand = ghosts_in(key), mine.taken + mine.wants
    for id, member in pairs(members) do
        local other = id ~= report.id and member.spaces[key]
        if other then
            held = held + math.max(other.room, other.taken)
            demand = demand + other.taken + other.wants
        end
    end
    local free = math.max(limit - held - mine.taken, 0)
    local more = math.min(mine.wants, free)
    -- One that is larger than the limit goes alone.
    if mine.head > limit and held + mine.taken <= 0 then more = mine.head end
    if demand > limit then
        local part = math.max(share_of(mine, demand, limit) - mine.taken, 0)
        local turn = turn_in(key, limit)
        -- For as long as a lease lasts one needs no more than what all may spread, and its next call.
        local most = math.max(part, mine.head, limit * 2 * PERIOD / MINUTE)
        if turn and turn.id ~= report.id then
            local first = members[turn.id].spaces[key]
            more = math.min(more, left_beside(key, first, first.head, limit, turn.at - now))
            -- More than its part is nobody's while a call fits of one who asked earlier.
            for _, member in pairs(members) do
                local other = member.spaces[key]
                if other and member.asked < me.asked and is_too_large(other) and other.head <= free then most = part end
            end
        end
        more = math.min(more, most)
    end
    -- A part that is too small is of no use here.
    return mine.taken + (more < mine.head and 0 or math.floor(more))
end

-- All of them, what others took of each budget, and how long until a call like the next of this process may fit.
local spaces, others, frees = {}, {}, {}

local function take_room(key, mine, room_of)
    local limit = math.floor(learned(key, mine.limit) + 0.5)
    mine.room, mine.lacks, me.spaces[key] = mine.taken, mine.head > 0, mine
    local room = room_of(key, mine, limit)
    -- Calls for which it has slots may go while the answer is on its way.
    local had = before and before.spaces[key]
    if had and (mine.width or had.plenty) then room = math.max(room, math.min(had.room, mine.taken + report.held_slots * mine.most)) end
    -- The others have not told yet what they hold, of which this document knows nothing.
    if doc.grace and now < doc.grace and mine.limit < ANY then room = 0 end
    mine.room, mine.lacks, spaces[key] = room, room < mine.taken + mine.head, room
    return limit
end

for key, mine in pairs(report.spaces) do
    if mine.width then
        local limit = take_room(key, mine, room_in_budget)
        local took = total(key, 0)
        others[key] = took
        if took + mine.taken + mine.head > limit then frees[key] = time_until_fits(key, mine, mine.head, limit) end
        -- Of a slot there is no use before its call fits.
        me.lacks = me.lacks or is_too_large(mine)
    end
end
-- Who lacks room in a budget takes no place, and who has no place takes no slots: so nobody waits for what another holds in vain.
local calls = report.spaces.in_flight
take_room('in_flight', calls, room_for_calls)
me.has_no_place = calls.wants > 0 and math.max(calls.room, calls.taken) == 0
