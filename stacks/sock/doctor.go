package sock

// Finding is one thing that moving connections needs, and whether it is there.
type Finding struct {
	What string `json:"what"`
	OK   bool   `json:"ok"`
	// Needed: without it nothing works; otherwise something works less well.
	Needed bool   `json:"needed"`
	Detail string `json:"detail,omitempty"`
}
