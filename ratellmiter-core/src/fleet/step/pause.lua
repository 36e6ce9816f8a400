-- What the process tells.

local leaves = report.intent == 'leaves'
local unused = is_new and 0 or report.unused + (leaves and report.held_slots or 0)
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
