// Package farend is the other end of the loop's connections, for tests: clients of
// listeners and servers that scripts connect to, in a network in memory
// ([netio.Memory]). They speak bytes, HTTP, WebSocket, MQTT and DNS, do nothing by
// themselves but acknowledge what their protocol wants acknowledged, and keep what
// came until somebody asks for it.
//
// Goroutines: none. Each end belongs to who made it, who has entered no shard.
package farend
