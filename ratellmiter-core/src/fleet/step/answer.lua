-- Nobody holds more than what the calls take for which it has slots: what it holds is nobody else's, and when it dies it counts.
local slots_now = report.held_slots + given + (is_canary and 1 or 0)
for key, mine in pairs(report.spaces) do
    if mine.width then spaces[key] = math.min(mine.room, mine.taken + math.max(slots_now, 1) * mine.most) end
    mine.room = math.min(mine.room, mine.taken + slots_now * mine.most)
end

-- Who loses the others knows what they took when it was last told; they go on until they see that too.
local soon = {}
for key, mine in pairs(report.spaces) do
    if mine.width and mine.width > MINUTE then
        local wants, most = 0, 0
        for id, member in pairs(members) do
            local other = id ~= report.id and member.spaces[key]
            if other then wants, most = wants + math.max(other.wants, other.room - other.taken), math.max(most, other.most) end
        end
        soon[key] = math.min(wants, most * math.ceil(rate() * UNSEEN / MINUTE))
    end
end

local pace = learned('requests', per_minute)
local answer = {
    epoch = doc.zero, episode = doc.episode, period = PERIOD, spans = #spans > 0 and spans or nil, is_canary = is_canary, again = again,
    spaces = spaces, others = others, soon = soon, frees = frees, usual = doc.usual, paces = paces, shares = shares,
    bound = given < wants and bound or nil, members = count, share = share, pace = rate(),
    rate = doc.phase == 'flowing' and math.min(ramp.level / FULL * per_minute, rate()) or 0,
    is_ramping = ramp.level < FULL, is_room_limited = report.spaces.in_flight.limit < ANY,
    is_room_plenty = report.spaces.in_flight.plenty or false, ceilings = {}, learned = {},
}
if doc.phase == 'paused' then answer.paused = math.max(doc.paused - now, 0) end
if doc.phase == 'canary' then answer.paused = math.max(doc.canary.by - now, 0) end
for key, known in pairs(doc.learned) do
    local most = key == 'requests' and per_minute or report.spaces[key] and report.spaces[key].limit
    if most and learned(key, most) < most then
        answer.ceilings[key], answer.learned[key] = known.ceiling, learned(key, most)
    end
end
local words = cjson.encode(answer)
save()
redis.call('HSET', KEYS[1], report.id, words)
if is_new then redis.call('HSET', KEYS[1], name_of(report.id), report.name) end
return words
