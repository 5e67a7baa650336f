package threshold

// ring holds the times of events of one key, oldest first.
type ring struct {
	times []int64
	head  int // the oldest
	n     int
}

// place is where the time of rank i is, 0 being the oldest; i is at most the room.
func (r *ring) place(i int) int {
	if i += r.head; i >= len(r.times) {
		i -= len(r.times)
	}
	return i
}

// newest returns the latest time. There is one.
func (r *ring) newest() int64 { return r.times[r.place(r.n-1)] }

// until returns how many events are at or before at.
func (r *ring) until(at int64) int {
	switch {
	case r.n == 0 || r.times[r.head] > at:
		return 0
	case r.newest() <= at:
		return r.n
	}
	low, high := 1, r.n-1 // the answer is one of them or between
	for low < high {
		if mid := (low + high) / 2; r.times[r.place(mid)] <= at {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// drop takes the oldest n out.
func (r *ring) drop(n int) {
	r.head, r.n = r.place(n), r.n-n
}

// insert puts a time behind the i oldest, which are at or before it. There is room.
func (r *ring) insert(now int64, i int) {
	to := r.place(r.n)
	for j := r.n; j > i; j-- {
		from := r.place(j - 1)
		r.times[to] = r.times[from]
		to = from
	}
	r.times[to] = now
	r.n++
}

// resize gives the ring another size, no less than it holds.
func (r *ring) resize(size int) {
	times := make([]int64, size)
	for i := range r.n {
		times[i] = r.times[r.place(i)]
	}
	r.times, r.head = times, 0
}
