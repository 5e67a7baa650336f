// Package location knows where users are: the bindings of addresses of record to
// contacts that REGISTER requests make (RFC 3261, 10; Path, RFC 3327; flows, RFC 5626;
// GRUUs, RFC 5627), until they end.
//
// A [Table] belongs to one goroutine at a time. It has no clock: whoever has one says
// what time it is, and calls [Table.Expire] when [Table.Next] has come.
package location
