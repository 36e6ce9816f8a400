-- A process goes, and uses none of the slots that it has.

if leaves then
    for key, mine in pairs(report.paces) do
        mine.reserved = mine.reserved - report.held_slots * mine.each
        settle(key, mine, limit_of_flow(key, mine))
    end
    -- Also of one who rests already: it took what it took.
    remove(report.id, { seen = now, spaces = report.spaces })
    save()
    return cjson.encode({ welcome = false })
end
