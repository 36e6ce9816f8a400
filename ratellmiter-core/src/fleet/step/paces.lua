local function has_room(member) return not (member.lacks or member.has_no_place) end

-- While calls of several classes wait, those of the most urgent go.
local top, is_mixed = nil, false
for class = 1, 3 do
    for _, member in pairs(members) do
        if member.classes[class] > 0 and has_room(member) then
            is_mixed = is_mixed or top ~= nil and top ~= class
            top = top or class
        end
    end
end
is_mixed = is_mixed and refused == 0

-- By how many there are who make calls: they wait, or their calls are out. Who has more slots has a shorter line and more that ask
-- anew; by either alone it would have less and less, or more and more. While any call that was refused waits, those go and no others.
local function weight(member)
    if not has_room(member) or member.line + member.recent == 0 then return 0 end
    if is_mixed and member.classes[top] == 0 then return 0 end
    if refused > 0 and doc.phase == 'flowing' then return member.refused end
    return member.line + member.out + member.recent
end
if begins then
    elapsed = math.min(PERIOD * begins / count, PERIOD)
    if begins >= count then begins = nil end
end
me.begins = begins
local weights, soon = 0, 0
for _, member in pairs(members) do
    weights = weights + weight(member)
    soon = soon + math.min(weight(member), math.max(member.waiting, member.recent))
end
local part = weights > 0 and weight(me) / weights or 1 / count
local share = 0.9 * (lines > 0 and (me.line + me.recent) / lines or 1 / count) + 0.1 / count

local paces, shares, flows = {}, {}, {}
for key, mine in pairs(report.paces) do
    local limit = limit_of_flow(key, mine)
    local each, among = mine.each * math.max(weight(me), 1), math.max(weight(me), 1)
    local ours = mine.each * (me.line + me.recent)
    local all = ours
    for id, member in pairs(members) do
        local other = id ~= report.id and member.paces[key]
        if other then
            each, among = each + other.each * weight(member), among + weight(member)
            all = all + other.each * wanted(member)
        end
    end
    shares[key] = all > 0 and ours / all or 1
    local flow, token = settle(key, mine, limit)
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
