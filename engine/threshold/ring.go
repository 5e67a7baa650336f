package threshold

// ring holds the times of the last events of one key, oldest first.
type ring struct {
	times []int64
	head  int // the oldest
	n     int
}

// expire drops the events that are no longer within the window at now.
func (r *ring) expire(now, within int64) {
	for r.n > 0 && now-r.times[r.head] >= within {
		r.drop()
	}
}

func (r *ring) drop() {
	r.n--
	if r.head++; r.head == len(r.times) {
		r.head = 0
	}
}

// push adds an event and returns how many there are, of which the oldest goes
// if they were most already. There is room.
func (r *ring) push(now int64, most int) int {
	if r.n == most {
		r.drop()
	}
	i := r.head + r.n
	if i >= len(r.times) {
		i -= len(r.times)
	}
	r.times[i] = now
	r.n++
	return r.n
}

// resize gives the ring another size, no less than it holds.
func (r *ring) resize(size int) {
	times := make([]int64, size)
	for i := range r.n {
		times[i] = r.times[(r.head+i)%len(r.times)]
	}
	r.times, r.head = times, 0
}
