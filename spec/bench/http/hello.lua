-- HAProxy's hello: the same six bytes as the others answer.
core.register_service("hello", "http", function(applet)
  applet:set_status(200)
  applet:add_header("content-type", "text/plain")
  applet:add_header("content-length", "6")
  applet:start_response()
  applet:send("hello\n")
end)
