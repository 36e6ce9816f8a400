-- Who is there, and what each wants.

local credit, unmet = me and me.credit, me and me.unmet or false
if not credit then
    -- One who is new is owed as much as the others, and its first call.
    local sum, others = 0, 0
    for id, member in pairs(members) do
        if id ~= report.id then sum, others = sum + member.credit, others + 1 end
    end
    credit = others > 0 and math.max(sum / others, 1) or 1
end
-- One whose demand begins does not know who else's does: it gets little at first, and asks again soon, when others may have said
-- so, for twice as much; until that is as much as anybody gets.
local begins
if not me or wanted(me) == 0 then begins = 1 elseif me.begins then begins = 2 * me.begins end
local elapsed = me and math.min(now - me.seen, MEMORY + report.lag) or PERIOD
credit = credit + unused
me = {
    seen = now, epoch = doc.zero, step = report.step, line = report.line, out = report.spaces.in_flight.taken, recent = report.recent,
    refused = report.refused, served = report.served, spaces = {}, paces = {}, asked = now - report.wait,
    lag = report.lag, call_time = report.call_time, waiting = math.max(report.line - report.held_slots, 0), unmet = unmet, held = report.held,
}
members[report.id] = me
-- Of each class, those who have no slots; the most urgent have them first.
local slots = report.held_slots
me.classes = {}
for class = 1, 3 do
    local with = math.min(report.classes[class], slots)
    me.classes[class], slots = report.classes[class] - with, slots - with
end

local count, refused, lines, is_waiting, is_pressed, pressed = 0, 0, 0, false, false, {}
for id, member in pairs(members) do
    count = count + 1
    refused = refused + member.refused
    lines = lines + wanted(member)
    is_waiting = is_waiting or member.unmet
    is_pressed = is_pressed or member.unmet and not member.held
    local space = member.held and member.spaces[member.held]
    if member.held then pressed[member.held] = space and space.limit or math.huge end
end
-- A second in which many wait for the same is a second.
for key, most in pairs(pressed) do press(key, most) end
if doc.phase == 'flowing' then
    roll_ramp(now, is_waiting)
    if is_new and report.allowed > 0 and steps then
        -- Those who went on without the others come back to where they were, all together.
        if now - doc.came.at > GRACE then doc.came = { at = now, level = 0 } end
        doc.came.level = doc.came.level + math.floor(report.allowed * FULL / per_minute)
        if doc.came.level > ramp.level then
            ramp.level = math.min(doc.came.level, FULL)
            begin_second(now)
        end
    end
    if is_pressed and ramp.level / FULL * per_minute >= rate() then press('requests', per_minute) end
end
