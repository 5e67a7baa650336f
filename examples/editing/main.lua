script { doc = "A script to be edited while it runs", tags = { "tcp" } }

-- What is counted here stays over every reload.
state { seen = 0 }

-- Try it: save another limit, and the next connection is judged by that.
local limit = 70

rule "count" {
  on = flow.conn_start,
  run = function(c) state:incr "seen" end,
}

rule "large" {
  doc = "Connections whose client said much",
  on = flow.conn_end,
  when = function(c) return c.client.bytes > limit end,
  run = function(c)
    alert("large", { client = c.client.endpoint, bytes = c.client.bytes, limit = limit, seen = state.seen })
  end,
}
