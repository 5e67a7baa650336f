package mqtt

import (
	"github.com/hookd/hookd/engine/event/setting"
)

// DocLimits lists the limits of a broker and of a connection. What exceeds one of
// messages is counted with those that loop.post could not pass on.
func DocLimits() []setting.Limit {
	number := setting.NumberLimit
	return []setting.Limit{
		number("mqtt_packet", maxPacket, "bytes of a packet; a longer one ends its connection"),
		number("mqtt_window", window, "messages of quality 1 and 2 that are under way to a peer, unless it takes fewer"),
		number("mqtt_waiting", maxWaiting, "those that wait for that, or for a client that is away; more are dropped"),
		number("mqtt_waiting_bytes", maxWaitingBytes, "their bytes"),
		number("mqtt_sessions", maxSessions, "sessions of a shard whose clients are away; those that a store kept are divided between the shards; one more ends the one left longest ago"),
		{Name: "mqtt_away", Default: maxAway.String(), Doc: "a client with a session stays away"},
		number("mqtt_away_bytes", maxAwaySize, "bytes that wait for all clients that are away; more is dropped"),
		number("mqtt_queued", maxQueued, "bytes that wait for a peer; more of quality 0 are dropped"),
		number("mqtt_inbound", maxInbound, "messages of quality 2 that a peer has not ended; one more ends its connection"),
		number("mqtt_retained", maxRetained, "messages that a shard keeps for later subscribers; more are not kept"),
		number("mqtt_retained_bytes", maxRetainedBytes, "their bytes"),
		number("mqtt_filters", maxFilters, "subscriptions of a client; more are refused"),
		number("mqtt_turns", maxTurns, "members of a shared subscription that a message is offered to, where those whose turn it is are just gone; then it is dropped"),
		number("mqtt_levels", maxLevels, "levels of a subscription"),
		{Name: "mqtt_login", Default: loginTime.String(), Doc: "a client logs in"},
		{Name: "mqtt_enter", Default: enterTime.String(), Doc: "a client's session comes from another shard; then the login is answered with busy"},
	}
}
