-- What one who is gone took, by the budget and by when it counts no longer.
local function haunt(ghost, key, amount, ends, part)
    if amount <= 0 or ends <= now then return end
    local at = string.format('%.0f', math.ceil(ends / part) * part)
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
        if space.width then
            local part = space.width / PARTS
            haunt(ghost, key, untold, member.seen + space.width, part)
            -- What is in each part of its age leaves at the same time, or a little before.
            for age, amount in ipairs(cmsgpack.unpack(space.parts)) do
                haunt(ghost, key, amount, member.seen + space.width - (age - 1) * space.grain, part)
            end
        end
    end
    if next(ghost) then doc.ghosts[id] = ghost end
end

-- Calls that wait or are about to, also of one that was hushed.
local function wanted(member) return member.line + member.recent + (member.had or 0) end

-- One that waits asks more often than this: it may be dead, and nobody waits behind it until it says again what it wants. What it
-- wanted counts for parts, in case that only the way to it is slow.
local function hush(member)
    member.had = wanted(member)
    member.line, member.recent, member.refused, member.waiting, member.unmet, member.classes = 0, 0, 0, 0, false, { 0, 0, 0 }
    for _, space in pairs(member.spaces) do space.wants = 0 end
end

for id, member in pairs(members) do
    local quiet = now - member.seen
    if id ~= report.id and quiet > PATIENCE then
        remove(id, member)
    elseif id ~= report.id and quiet > MEMORY + 2 * member.lag then
        hush(member)
    end
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
            for at, amount in pairs(amounts) do haunt(all, key, amount, tonumber(at), 1) end
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
        local count = 0
        for _ in pairs(members) do count = count + 1 end
        local name = redis.call('HGET', KEYS[1], name_of(id))
        return cjson.encode({ conflict = { name = name, limits = doc.limits, members = count } })
    end
end

if report.intent == 'looks' then
    -- One that answers but cannot keep anything is as good as none: this fails there.
    save()
    return cjson.encode({ welcome = true })
end
