-- The pace of each token budget: a schedule that charges a slot the mean cost of calls, and is corrected by the reported costs.

local function limit_of(s, key, mine)
    local limit = math.min(Adaptive.allowed(s.doc.adapted[key], s.report.capacity[key].limit), mine.limit)
    for other in Members.others(s, 'rates', key) do limit = math.min(limit, other.limit) end
    return limit
end

-- Corrects a schedule by the reported costs. Returns it and the time of one token.
local function settle(s, key, mine, limit)
    limit = math.max(limit, 1)
    local flow = s.doc.flows[key] or { tat = 0, credit = 0, limit = limit }
    local token = C.MINUTE / (limit * (1 - s.margin))
    -- Returned slots may have been further apart than their costs on this schedule: the difference is refunded.
    local idle = (s.returned_time or 0) - s.returned * mine.mean_cost * C.MINUTE / flow.limit
    if idle > 0 and not s.shape.is_shared then flow.tat = math.max(flow.tat - idle, math.min(flow.tat, s.now)) end
    if flow.tat > s.now then flow.tat = s.now + (flow.tat - s.now) * flow.limit / limit end
    flow.limit, flow.tolerance = limit, math.max(s.slack - token, 0)
    local before = s.before_or_new and s.before_or_new.rates[key]
    if before then
        local unused = math.max(s.now - flow.tat, 0)
        flow.tat = flow.tat + (mine.reserved - before.reserved) * token
        local late = math.max(s.now - flow.tat, 0) - unused
        if late > 0 then flow.credit = math.min(flow.credit + late / token, limit / C.CREDIT_DIVISOR) end
    end
    s.doc.flows[key] = flow
    return flow, token
end

-- Computes the limits and this process's shares of them. Returns the schedules for its next slots.
function Rates.assign(s)
    s.rates, s.shares = {}, {}
    local flows, weight = {}, math.max(s.weight, 1)
    for key, mine in pairs(s.report.rates) do
        local limit = limit_of(s, key, mine)
        local costs, calls = mine.mean_cost * weight, weight
        local ours = mine.mean_cost * (s.me.queued + s.me.arriving)
        local all = ours
        for other, member in Members.others(s, 'rates', key) do
            local its_weight = Demand.weight(s, member)
            costs, calls = costs + other.mean_cost * its_weight, calls + its_weight
            all = all + other.mean_cost * Members.wanted(member)
        end
        local flow, token = settle(s, key, mine, limit)
        local stored = { limit = mine.limit, mean_cost = mine.mean_cost, reserved = mine.reserved }
        s.rates[key], s.shares[key], s.me.rates[key] = limit, all > 0 and ours / all or 1, stored
        if mine.mean_cost > 0 then
            table.insert(flows, {
                key = key, flow = flow, stored = stored, cost = mine.mean_cost, token = token,
                gap = mine.mean_cost * token, mean_gap = costs / calls * token,
            })
        end
    end
    return flows
end

-- Returns the time at which all schedules allow a slot, and the key of the last one to do so.
function Rates.due(flows)
    local last, key = 0, nil
    for _, each in ipairs(flows) do
        local at = each.flow.tat - each.flow.tolerance
        if at > last then last, key = at, each.key end
    end
    return last, key
end

function Rates.charge(flows, first, gap, slots)
    for _, each in ipairs(flows) do
        local flow, cost = each.flow, slots * each.cost
        local credit = math.min(flow.credit, cost)
        flow.credit = flow.credit - credit
        flow.tat = math.max(math.max(flow.tat, first) + (cost - credit) * each.token, first + (slots - 1) * gap)
        each.stored.reserved = each.stored.reserved + cost
    end
end

-- Refunds the slots of a process that leaves.
function Rates.release(s)
    for key, mine in pairs(s.report.rates) do
        mine.reserved = mine.reserved - s.report.held_slots * mine.mean_cost
        settle(s, key, mine, limit_of(s, key, mine))
    end
end
