// Package flow turns packets into TCP connections, UDP flows and ICMP queries with their answers, and
// raises what happens to them as events.
//
// As in mOS (Jamshed et al., NSDI 2017) the TCP stacks of both ends are emulated: a packet first
// advances its sender's stack, then its receiver's, and handlers see each right after its turn. The
// package owns the connection tables, the state machines, reassembly and their limits; decoding is
// package packet's, files are package capture's. UDP and ICMP have no stacks to emulate: an Exchange
// counts what passes between two ends, in its own table, so that a Conn is no larger for it.
//
// What is declared in spec/events/flow.yaml is raised through the points of package flowev; objects
// that handlers get implement its interfaces.
//
// A Stack belongs to the goroutine that has entered its shard, and so does everything in it.
package flow
