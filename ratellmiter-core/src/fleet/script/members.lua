-- The processes of a fleet: `members` by id, and the unexpired usage of departed ones.

Members.RESOLUTION = 96 -- Number of parts of a budget's window, at whose ends departed usage expires.
local MAX_DEPARTED = 32 -- Number of departed processes beyond which their usage is merged.

function Members.name_field(id) return id .. ' name' end

-- Iterates over the other processes; with `part` and `key`, over the existing `member[part][key]`, each with its process.
function Members.others(s, part, key)
    local id, member
    return function()
        repeat
            id, member = next(s.doc.members, id)
            local found = id and id ~= s.id and (part and member[part][key] or not part and member)
            if found then return found, member, id end
        until not id
    end
end

local function add_departed(now, usage, key, amount, expires_at, part)
    if amount <= 0 or expires_at <= now then return end
    local at = string.format('%.0f', math.ceil(expires_at / part) * part)
    usage[key] = usage[key] or {}
    usage[key][at] = (usage[key][at] or 0) + amount
end

function Members.departed_total(doc, key)
    local sum = 0
    for _, usage in pairs(doc.departed) do
        for _, amount in pairs(usage[key] or {}) do sum = sum + amount end
    end
    return sum
end

-- Removes a process. Its usage of a budget counts until it expires, but its calls in flight do not.
function Members.remove(doc, id, member)
    doc.members[id] = nil
    redis.call('HDEL', KEYS[1], id, Members.name_field(id))
    Pause.drop_canary(doc.pause, id, doc.now)
    Closed.drop_probe(doc, id)
    local usage = {}
    for key, space in pairs(member.capacity) do
        if space.window then
            local part = space.window / Members.RESOLUTION
            -- A process that died may have used all of its room after its last report.
            local unreported = math.max((space.room or 0) - space.taken, 0)
            add_departed(doc.now, usage, key, unreported, member.seen + space.window, part)
            for age, amount in ipairs(cmsgpack.unpack(space.parts)) do
                add_departed(doc.now, usage, key, amount, member.seen + space.window - (age - 1) * space.grain, part)
            end
        end
    end
    if next(usage) then doc.departed[id] = usage end
end

-- Returns the usage by the other processes, including departed ones.
function Members.used_by_others(s, key)
    local sum = Members.departed_total(s.doc, key)
    for other in Members.others(s, 'capacity', key) do sum = sum + other.taken end
    return sum
end

-- Returns the sums of the results of the other processes by which refusals are attributed, or nil if there are none.
function Members.results_of_others(s)
    local sums
    for member in Members.others(s) do
        for index, count in ipairs(member.results or {}) do
            sums = sums or { 0, 0, 0, 0, 0 }
            sums[index] = sums[index] + count
        end
    end
    return sums
end

-- Returns the number of queued and expected calls, also of a process that is silent.
function Members.wanted(member) return member.queued + member.arriving + (member.wanted_before or 0) end

-- Marks a process whose report is overdue: no other process waits for it, but its demand still counts for shares.
local function mark_silent(member)
    member.wanted_before = Members.wanted(member)
    member.queued, member.arriving, member.refused, member.waiting = 0, 0, 0, 0
    member.is_unmet, member.wants_probe, member.classes = false, false, { 0, 0, 0 }
    for _, space in pairs(member.capacity) do space.wanted = 0 end
end

local function expire_departed(doc)
    local count, all = 0, {}
    for id, usage in pairs(doc.departed) do
        for key, amounts in pairs(usage) do
            for at in pairs(amounts) do
                if tonumber(at) <= doc.now then amounts[at] = nil end
            end
            if not next(amounts) then usage[key] = nil end
        end
        if next(usage) then count = count + 1 else doc.departed[id] = nil end
    end
    if count <= MAX_DEPARTED then return end
    for _, usage in pairs(doc.departed) do
        for key, amounts in pairs(usage) do
            for at, amount in pairs(amounts) do add_departed(doc.now, all, key, amount, tonumber(at), 1) end
        end
    end
    doc.departed = { [''] = all }
end

-- Removes processes whose lease has expired, marks silent ones, and returns the number of processes.
function Members.refresh(s)
    local doc, count = s.doc, 0
    for member, _, id in Members.others(s) do
        local quiet = doc.now - member.seen
        if quiet > C.GRANT_LIFETIME then
            Members.remove(doc, id, member)
        elseif quiet > s.memory + 2 * member.lag then
            mark_silent(member)
        end
    end
    -- A process that rejoins reports its usage itself.
    doc.departed[s.id] = nil
    expire_departed(doc)
    for _ in pairs(doc.members) do count = count + 1 end
    return count
end

-- Returns the id of another process if the limits differ, else nil. A process that is alone may change its limits.
function Members.conflicting(s)
    if s.doc.limits ~= s.report.limits then return select(3, Members.others(s)()) end
end
