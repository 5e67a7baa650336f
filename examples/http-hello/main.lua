-- An HTTP server in five lines: hello on http://127.0.0.1:18080/
loop.listen "hello" { url = "http://127.0.0.1:18080" }

rule "hello" {
  on    = loop.http_request,
  match = { path = "/" },
  run   = function(c, req) return loop.reply(200, "hello\n") end,
}
