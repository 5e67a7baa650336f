-- For tshark -X lua_script: a tap that reads five fields of each TCP packet, as five.lua does.
local fields = {
  Field.new("ip.src"), Field.new("tcp.dstport"), Field.new("frame.len"), Field.new("tcp.flags"), Field.new("ip.ttl"),
}
local tap = Listener.new("tcp")
local packets, last = 0, nil

function tap.packet()
  for i = 1, #fields do
    local f = fields[i]()
    last = f and f.value
  end
  packets = packets + 1
end

function tap.draw()
  print(packets .. " TCP packets")
end
