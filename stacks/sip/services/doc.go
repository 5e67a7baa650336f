// Package services is what a SIP server has beside its transactions, as scripts have it:
// credentials that are checked. It has the bodies of the sip family's functions.
//
// A [Desk] outlives scripts: what it knows stays over reloads. Scripts of any shard
// call it; it has a lock, under which nothing waits and nothing is raised.
package services
