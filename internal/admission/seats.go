package admission

import "sync"

// Seats bound those who wait for something new, such as live pages: of a process,
// and of one account, so that it leaves room to the others.
const (
	mostSeats    = 256
	mostSeatsOne = mostSeats / 4
)

// Seats are those of callers who wait. It is safe for concurrent use. The zero
// Seats has all of them free.
type Seats struct {
	mu    sync.Mutex     // guards what follows
	taken map[string]int // by account; none with 0
	all   int
}

// Take takes a seat for a caller of the account, or reports that there is none.
// Leave gives it back.
func (s *Seats) Take(account string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == mostSeats || s.taken[account] == mostSeatsOne {
		return false
	}
	if s.taken == nil {
		s.taken = map[string]int{}
	}
	s.all++
	s.taken[account]++
	return true
}

// Leave gives a seat back that the account has taken.
func (s *Seats) Leave(account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.taken[account]--; s.taken[account] == 0 {
		delete(s.taken, account)
	}
}
