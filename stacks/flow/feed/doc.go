// Package feed drives flow stacks: it takes frames from interfaces or from a
// capture that runs again and again, hands them to the front of the stacks, and moves event
// time where no frame comes.
//
// A Feed has one goroutine a source while it runs, and waits for them. Each enters
// the shards for as many frames as an entry may have, so that whoever else needs
// the shards comes in between. Stats and Now may be called from any goroutine that
// has not entered a shard.
package feed
