-- Sends back what it receives.
loop.listen "echo" { url = "tcp://127.0.0.1:17000", limits = { idle = "10m" } }

rule "echo" { on = loop.recv, match = { listener = "echo" }, run = function(c) c:send(c:take()) end }
