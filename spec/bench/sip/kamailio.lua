-- The rules of examples/sip-relay for Kamailio's Lua interface: one function each for a
-- request, a branch, a reply and a failure.
local function relay()
	if KSR.is_INVITE() then
		KSR.tm.t_on_branch("on_branch")
		KSR.tm.t_on_reply("on_reply")
		KSR.tm.t_on_failure("on_failure")
	end
	if KSR.tm.t_relay() < 0 then KSR.sl.sl_reply_error() end
	return 1
end

function on_branch()
	KSR.hdr.append("X-Branch: 0\r\n")
	return 1
end

function on_reply()
	if KSR.pv.get("$rs") == 183 then early = true end
	return 1
end

function on_failure()
	if KSR.tm.t_check_status("503") > 0 then KSR.tm.t_reply(480, "Temporarily Unavailable") end
	return 1
end

function ksr_request_route()
	if KSR.maxfwd.process_maxfwd(70) < 0 then
		KSR.sl.sl_send_reply(483, "Too Many Hops")
		return 1
	end
	if KSR.is_CANCEL() then
		if KSR.tm.t_check_trans() > 0 then relay() end
		return 1
	end
	if not KSR.is_ACK() then
		if KSR.tmx.t_precheck_trans() > 0 then
			KSR.tm.t_check_trans()
			return 1
		end
		if KSR.tm.t_check_trans() == 0 then return 1 end
	end
	if KSR.siputils.has_totag() > 0 then
		if KSR.rr.loose_route() > 0 then
			relay()
		elseif not KSR.is_ACK() then
			KSR.sl.sl_send_reply(404, "Not Here")
		elseif KSR.tm.t_check_trans() > 0 then
			relay()
		end
		return 1
	end
	if KSR.is_INVITE() then KSR.rr.record_route() end
	KSR.setdsturi("sip:127.0.0.1:15080")
	return relay()
end
