package main

// set is the comparisons about one part of the house.
type set struct {
	name, doc string
	// about says what the programs ran on.
	about    []string
	programs []*program
	// probes are figures that are not a program's time.
	probes []probe
	aims   []aim
}

// program is one command line that is measured.
type program struct {
	// name is unique in its set; the tables and the aims call it so.
	name string
	argv []string
	// also is a second program that is needed, empty for none.
	also string
	// run measures the program under a load and says what was found; nil where its own
	// end is waited for.
	run func(argv []string) (s sample, found string, err error)
	// get says how to get a program that may not be installed, empty for ours.
	get string
	// slow programs run once with -short, and three times without.
	slow bool
	// profiled programs take --cpuprofile and are what profile-guided builds
	// are made for.
	profiled bool
	// check looks whether what the program wrote to standard output, a file, is
	// right, and says what was found; nil where there is nothing to check.
	check func(output string) (found string, err error)
}

// unjudged is program.run for a load whose figures are all that is found.
func unjudged(measure func() (sample, error)) func([]string) (sample, string, error) {
	return func([]string) (sample, string, error) {
		s, err := measure()
		return s, "", err
	}
}

// probe measures something once.
type probe struct {
	name string
	run  func() (float64, error)
}

// aim is what a set is to show.
type aim struct {
	what  string
	bound float64
	// least: the value is to be at least bound, else at most.
	least bool
	// told: nothing is aimed at; it is there beside the others.
	told bool
	unit string
	// value computes it; it is not a number where a program or probe is missing.
	value func(r *result) float64
}

// met reports whether v satisfies the aim.
func (a *aim) met(v float64) bool {
	switch {
	case a.told:
		return true
	case a.least:
		return v >= a.bound
	}
	return v <= a.bound
}
