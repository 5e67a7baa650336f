package vm

// Limits bound what a machine uses. The zero value of a field means its default.
type Limits struct {
	// CallDepth is how deep calls nest within a thread; 1024.
	CallDepth int
	// Stack is how many values a thread's calls hold at once; 16,384.
	Stack int
	// MaxString is the longest string that a function or .. makes, in bytes; 1 MiB.
	MaxString int
	// Coroutines is how many coroutines that are not finished there may be; 10,000.
	Coroutines int
	// Nesting is how deep coroutines and protected calls run inside one another;
	// 150. Each level takes Go stack.
	Nesting int
}

// Defaults returns the limits that hold where nothing else is said.
func Defaults() Limits { return Limits{}.withDefaults() }

// withDefaults fills what is zero.
func (l Limits) withDefaults() Limits {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	set(&l.CallDepth, 1024)
	set(&l.Stack, 16<<10)
	set(&l.MaxString, 1<<20)
	set(&l.Coroutines, 10_000)
	set(&l.Nesting, 150)
	return l
}
