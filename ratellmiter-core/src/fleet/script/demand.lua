-- The demand of the reporting process and of the fleet.

-- Subtracts the calls with slots from `classes`, the most urgent first.
function Demand.take_slots(classes, slots)
    for class = 1, 3 do
        local taken = math.min(classes[class], slots)
        classes[class], slots = classes[class] - taken, slots - taken
    end
end

-- Updates the state of the process from its report.
function Demand.update(s)
    local doc, report, before = s.doc, s.report, s.before
    local credit = before and before.credit
    if not credit then
        -- A new process starts with the mean credit of the others, and at least one slot.
        local sum, others = 0, 0
        for member in Members.others(s) do sum, others = sum + member.credit, others + 1 end
        credit = others > 0 and math.max(sum / others, 1) or 1
    end
    -- The demand of several processes may start at once, so each first gets slots for a short time, which doubles with each report.
    local newcomer
    if not before or Members.wanted(before) == 0 then newcomer = 1 elseif before.newcomer then newcomer = 2 * before.newcomer end
    local elapsed = before and math.min(s.now - before.seen, s.memory + report.lag) or s.period
    Demand.take_slots(report.classes, report.held_slots)
    s.me = {
        seen = s.now, epoch = doc.zero, step = report.step, queued = report.queued, arriving = report.arriving, refused = report.refused,
        waiting = math.max(report.queued - report.held_slots, 0), queued_since = s.now - report.wait, classes = report.classes,
        in_flight = report.capacity[C.IN_FLIGHT].taken, call_time = report.call_time, lag = report.lag, served = report.served,
        results = report.results, credit = credit + s.returned, is_unmet = before and before.is_unmet or false, newcomer = newcomer, capacity = {}, rates = {},
    }
    doc.members[s.id] = s.me
    s.count, s.refused, s.wanted = 0, 0, 0
    for _, member in pairs(doc.members) do
        s.count, s.refused, s.wanted = s.count + 1, s.refused + member.refused, s.wanted + Members.wanted(member)
    end
    if newcomer then
        elapsed = math.min(s.period * newcomer / s.count, s.period)
        if newcomer >= s.count then s.me.newcomer = nil end
    end
    s.newcomer, s.elapsed = s.me.newcomer, elapsed
end

function Demand.is_eligible(member) return not (member.lacks_budget or member.lacks_place) end

-- While calls of several classes wait, only the most urgent class is served.
local function find_class(s)
    local is_mixed
    for class = 1, 3 do
        for _, member in pairs(s.doc.members) do
            if member.classes[class] > 0 and Demand.is_eligible(member) then
                is_mixed = is_mixed or s.class ~= nil and s.class ~= class
                s.class = s.class or class
            end
        end
    end
    s.is_mixed = is_mixed and s.refused == 0
    s.is_passed_by_class = s.is_mixed and s.me.classes[s.class] == 0
end

-- Returns the demand by which the rate is divided. Queued calls or calls in flight alone would amplify differences, because more slots
-- mean a shorter queue and more calls in flight. While refused calls are queued, only they count.
function Demand.weight(s, member)
    if not Demand.is_eligible(member) or member.queued + member.arriving == 0 then return 0 end
    if s.is_mixed and member.classes[s.class] == 0 then return 0 end
    if s.refused > 0 and s.doc.pause.phase == 'flowing' then return member.refused end
    return member.queued + member.in_flight + member.arriving
end

-- Computes the weight and the part of this process, and the number of calls of all that need a slot soon.
function Demand.weigh(s)
    find_class(s)
    local sum, soon = 0, 0
    for _, member in pairs(s.doc.members) do
        local own = Demand.weight(s, member)
        sum, soon = sum + own, soon + math.min(own, math.max(member.waiting, member.arriving))
    end
    s.weight, s.soon = Demand.weight(s, s.me), soon
    s.part = sum > 0 and s.weight / sum or 1 / s.count
end
