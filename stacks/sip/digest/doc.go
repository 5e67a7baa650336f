// Package digest is digest authentication as SIP has it (RFC 3261, 22; RFC 7616 and
// 8760): challenges, credentials and whether they are those of a secret, nonces that
// this process made and that count upwards, and the credentials of a client.
//
// Nothing here keeps or prints a password. Secrets are compared in constant time.
// [Nonces] belong to one goroutine at a time; all else is pure.
package digest
