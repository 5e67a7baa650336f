// Package mqtt is MQTT 3.1, 3.1.1 and 5 on the loop's connections: a broker for those
// that come in, a client for those that are dialled. Rules decide who may log in,
// subscribe and publish.
//
// The broker keeps retained messages, wills and all qualities of service, and sessions
// beyond their connections, in memory, and where a listener says so in a table of the
// process's ([loop.Shelf]) that the next one reads. Of those who
// share a subscription, in whatever shards, one has each message. Subscription
// identifiers are refused.
//
// Goroutines: none. Each shard has its broker, which belongs to who entered the shard;
// what is published is posted to those of the others. A session is in one shard, and
// given to another by a post when its client comes back there.
package mqtt
