-- The rate, in calls a minute: what was learned, and what the headers that anybody saw leave.

local function learned(key, most)
    local known = doc.learned[key]
    if not known then return most end
    local allowed
    if known.pressed < known.back then
        local left = 1 - known.pressed / known.back
        allowed = known.ceiling - (known.ceiling - known.low) * left * left * left
    else
        allowed = known.ceiling * (1 + 0.02 * (2 ^ math.min((known.pressed - known.back) / 2, 60) - 1))
    end
    return math.min(math.max(allowed, known.least), most)
end

local function teach(key, through, most, least)
    through = math.min(math.max(through, least), most)
    local known, back = doc.learned[key], 6
    if known and known.ceiling / 1.25 <= through and through <= known.ceiling * 1.25 then
        back = math.min(known.back * 1.5, 240)
    end
    doc.learned[key] = { low = through * 0.85, ceiling = through, back = back, pressed = 0, least = least }
end

local function press(key, most)
    local known = doc.learned[key]
    if known and learned(key, most) < most then known.pressed = known.pressed + passed / 1e6 end
end

local per_minute = report.rate
local steps = report.ramp
local from_idle = report.burst == 0
if not report.learns then doc.learned = {} end
doc.limits, doc.usual = report.limits, report.usual or doc.usual

local function rate()
    local allowed = learned('requests', per_minute)
    if report.served then allowed = math.min(allowed, report.served) end
    for id, member in pairs(members) do
        if id ~= report.id and member.served then allowed = math.min(allowed, member.served) end
    end
    return math.max(allowed, 1)
end
