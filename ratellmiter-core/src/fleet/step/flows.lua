-- The pace of what a minute holds: a schedule of its own, on which a slot takes what a call of this process costs. What its
-- calls really cost is told later, and moves the schedule by the difference.

local before = not is_new and me or nil
local slack = math.max(report.burst, SLACK)

local function limit_of_flow(key, mine)
    local limit = math.min(learned(key, report.spaces[key].limit), mine.limit)
    for id, member in pairs(members) do
        local other = id ~= report.id and member.paces[key]
        if other then limit = math.min(limit, other.limit) end
    end
    return limit
end

-- Gives the schedule, and how much of it one token takes.
local function settle(key, mine, limit)
    local flow, token = doc.flows[key] or { tat = 0, credit = 0 }, MINUTE / (math.max(limit, 1) * (1 - SPARE))
    local earliest = now - slack
    if flow.limit and flow.limit < limit and flow.tat > now then flow.tat = now + (flow.tat - now) * flow.limit / limit end
    flow.limit = limit
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
    return flow, token
end
