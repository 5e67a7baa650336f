//go:build !linux

package sock

// Doctor says what this system and the caller's privileges allow in a network
// namespace.
func Doctor(string) []Finding {
	return []Finding{{What: "Linux", Needed: true, Detail: ErrUnsupported.Error()}}
}
